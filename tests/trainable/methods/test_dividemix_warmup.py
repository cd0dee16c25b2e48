"""`warmup_epochs: auto` at work: when it ends, what it costs, and that nothing else depends on it."""

import itertools
import math

import pytest
import torch

from tests.trainable.methods.tiny import all_same, all_weights, make, without_time
from trainable.errors import NonFiniteLoss
from trainable.noisy_labels.auto_warmup import separation


def automatic(**kwargs):
    return make(warmup_epochs="auto", **{"epochs": 8, "batch_size": 8, "lr": 0.02, **kwargs})


def phases(rows) -> str:
    return "".join(row["phase"][0] for row in rows)  # w, d


def test_an_automatic_warmup_ends_by_the_rule_and_the_trial_has_all_its_rows():
    method = automatic(epochs=12)
    rows = list(method)
    apart = [row["warmup/separation"] for row in rows if row["phase"] == "warmup"]
    assert len(rows) == 12
    assert phases(rows) == "w" * len(apart) + "d" * (12 - len(apart))
    assert 2 <= len(apart) <= 6
    assert all(a < b for a, b in itertools.pairwise(apart[:-1]))
    assert apart[-1] <= apart[-2] or len(apart) == 6
    assert method.separations == apart
    assert method.warmup == len(apart)
    assert not any("warmup/separation" in row for row in rows[len(apart) :])


def test_the_separation_is_the_mean_over_networks_after_the_epoch():
    method = automatic()
    row = next(method)
    losses = [
        method.judge_logits(learner, method.data.train)[1].numpy() for learner in method.learners
    ]
    each = [separation(loss) for loss in losses]
    assert row["warmup/separation"] == pytest.approx(sum(each) / 2)
    assert math.isinf(method.warmup)
    assert method.history == [[], []]


def test_an_automatic_warmup_trains_as_a_fixed_one_of_the_length_that_it_found():
    method = automatic()
    rows = list(method)
    fixed = make(warmup_epochs=int(method.warmup), epochs=8, batch_size=8, lr=0.02)
    expected = list(fixed)
    assert all_same(all_weights(method), all_weights(fixed))
    assert sorted(method.records) == sorted(fixed.records)
    for row, other in zip(without_time(rows), without_time(expected), strict=True):
        measured = {
            name: value
            for name, value in row.items()
            if name not in ("warmup/separation", "work/forwards")
        }
        assert measured == {name: value for name, value in other.items() if name != "work/forwards"}
    warmup = [
        row["work/forwards"] - other["work/forwards"]
        for row, other in zip(rows, expected, strict=True)
    ]
    assert warmup == [2 * 120] * int(method.warmup) + [0] * (8 - int(method.warmup))


def test_true_labels_have_no_part_in_the_end_of_the_warmup():
    method, tainted = automatic(), automatic()
    for split in (tainted.data.train, tainted.data.validation, tainted.data.test):
        split.true = torch.randint(
            0, 3, split.true.shape, generator=torch.Generator().manual_seed(9)
        )
    list(method), list(tainted)
    assert method.separations == tainted.separations
    assert all_same(all_weights(method), all_weights(tainted))


@pytest.mark.parametrize(("epochs", "expected"), [(1, "w"), (2, "wd"), (3, "wdd")])
def test_the_shortest_trials_warm_up_for_an_epoch(epochs, expected):
    assert phases(automatic(epochs=epochs)) == expected


def test_weights_that_diverge_in_an_automatic_warmup_end_it_with_a_sentence():
    method = automatic(batch_size=64, networks=1)
    original = method.learners[0].step

    def step(loss):
        original(loss)
        with torch.no_grad():
            method.learners[0].network[-1].bias[0] = float("nan")

    method.learners[0].step = step
    with pytest.raises(NonFiniteLoss, match="in epoch 1"):
        next(method)
