"""Co-teaching and Co-teaching+: who learns from what, and how much is forgotten."""

import pytest
import torch
import torch.nn.functional as F

from tests.trainable.methods.tiny import make
from trainable.errors import DataError, NonFiniteLoss
from trainable.methods import co_teaching_plus
from trainable.methods.co_teaching import exchange

GIVEN = torch.tensor([0, 0, 0, 0])
# Losses of label 0 rise from left to right in the first network, and fall in the second.
FIRST = torch.tensor([[3.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
SECOND = FIRST.flip(0)


def test_each_network_learns_from_what_the_other_finds_easiest():
    logits = [FIRST.clone().requires_grad_(), SECOND.clone().requires_grad_()]
    (total, terms), kept = exchange(logits, GIVEN, 0.5)
    assert [places.tolist() for places in kept] == [[0, 1], [3, 2]]
    hard = F.cross_entropy(FIRST[2:], GIVEN[2:])
    assert total.item() == pytest.approx(2 * hard.item())
    assert terms["loss/labeled"].item() == pytest.approx(hard.item())
    total.backward()
    touched = [each.grad.abs().sum(1) > 0 for each in logits]
    assert [rows.tolist() for rows in touched] == [
        [False, False, True, True],
        [True, True, False, False],
    ]


def test_nothing_forgotten_is_plain_cross_entropy():
    (total, _), _ = exchange([FIRST, SECOND], GIVEN, 0)
    assert total.item() == pytest.approx(2 * F.cross_entropy(FIRST, GIVEN).item())


# --- Co-teaching+ ---


def plus(**switches):
    return make("co_teaching_plus", init_epochs=0, **switches)


def test_after_its_first_epochs_only_disagreement_counts():
    first = torch.tensor([[3.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    second = torch.tensor(
        [[3.0, 0.0], [0.0, 2.0], [1.0, 0.0], [0.0, 3.0]]
    )  # they disagree on samples 1 and 2
    (total, _), kept = plus().select([first, second], GIVEN, 0.5)
    assert [places.tolist() for places in kept] == [[1], [2]]
    expected = F.cross_entropy(first[2:3], GIVEN[:1]) + F.cross_entropy(second[1:2], GIVEN[:1])
    assert total.item() == pytest.approx(expected.item())
    (early, _), _ = make("co_teaching_plus", init_epochs=1).select([first, second], GIVEN, 0.5)
    assert early.item() == exchange([first, second], GIVEN, 0.5)[0][0].item()


def test_without_disagreement_all_samples_count_and_later_none(monkeypatch):
    monkeypatch.setattr(co_teaching_plus, "AGREEING_STEPS", 1)
    method = plus()
    (total, _), kept = method.select([FIRST, FIRST], GIVEN, 0.5)
    assert total.item() == pytest.approx(2 * F.cross_entropy(FIRST, GIVEN).item())
    assert [len(places) for places in kept] == [4, 4]
    (total, _), kept = method.select([FIRST, FIRST], GIVEN, 0.5)
    assert total == 0
    assert [len(places) for places in kept] == [0, 0]


def test_an_epoch_in_which_nothing_is_kept_has_no_precision(monkeypatch):
    monkeypatch.setattr(co_teaching_plus, "AGREEING_STEPS", 0)
    method = plus(epochs=1)
    method.learners[1].network.load_state_dict(method.learners[0].network.state_dict())
    row = next(method)
    assert row["phase"] == "co_teaching_plus"
    assert row["division/labeled_fraction_net0"] == 0
    assert "division/precision_net0" not in row


# --- the forget rate ---


@pytest.mark.parametrize("name", ["co_teaching", "jocor"])
def test_a_known_rate_is_the_share_of_wrong_labels(name):
    method = make(name, forget_rate="known", gradual_epochs=1)
    wrong = (method.data.train.given != method.data.train.true).double().mean().item()
    assert next(method)["schedule/forget_rate"] == pytest.approx(wrong)


def test_a_rate_known_needs_true_labels():
    method = make("co_teaching")
    method.data.noise_rate = None
    config = method.config.model_copy(
        update={"method": method.config.method.model_copy(update={"forget_rate": "known"})}
    )
    with pytest.raises(DataError, match=r"^method\.forget_rate: known .*`estimated`"):
        type(method)(config, method.data, method.learners, method.streams)


def test_an_estimated_rate_starts_at_nothing_and_stays_after_the_gradual_epochs():
    method = make("co_teaching", n=240, epochs=6, batch_size=8, gradual_epochs=3, lr=0.05)
    rates, finals = [], []
    for row in method:
        rates.append(row["schedule/forget_rate"])
        finals.append(method.final_rate)
    assert rates[0] == 0
    assert 0 < rates[3] == rates[4] == rates[5] < 1
    assert len(set(finals[:4])) == 4
    assert finals[3] == finals[4] == finals[5]


def test_true_labels_do_not_enter_training_unless_the_rate_is_known():
    rows = []
    for _ in range(2):
        method = make("jocor", epochs=2)
        if rows:
            method.data.train.true = method.data.train.true.flip(0)
        rows.append([row["loss/labeled"] for row in method])
    assert rows[0] == rows[1]


def test_a_loss_that_all_networks_share_is_said_to_be_all_networks():
    method = make("jocor", lr=1e30)
    with pytest.raises(NonFiniteLoss, match="the loss of all networks is nan in epoch"):
        list(method)
