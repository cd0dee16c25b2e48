"""Properties of DivideMix's epochs: who is trained, on what, guided by whom, and drawn from where."""

import copy
import itertools
from collections import Counter

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.trainable.methods.tiny import (
    CPU,
    all_same,
    all_weights,
    divisions,
    make,
    same,
    train_on,
    weights,
    without_time,
)
from trainable.engine.learner import Learner
from trainable.methods import dividemix, dividemix_division, dividemix_step


def spy_on_views(method, monkeypatch):
    """[(indices, views)] of the training images, in the order in which they are drawn."""
    drawn, views = [], method.data.train.views

    def spied(index, count, rng):
        result = views(index, count, rng)
        drawn.append((index.tolist(), [view.clone() for view in result]))
        return result

    monkeypatch.setattr(method.data.train, "views", spied)
    return drawn


# --- division ---


def test_judging_twice_gives_the_same_losses_and_moves_no_weight_or_buffer():
    method = make()
    next(method)
    before = all_weights(method)
    first, second = method.divide_samples()[0], method.divide_samples()[0]
    assert np.array_equal(first.losses, second.losses)
    assert all_same(all_weights(method), before)
    assert method.learners[0].network.training


def test_a_verdict_rests_on_the_cross_entropy_of_unaugmented_images_in_eval_mode():
    method = make()
    next(method)
    train, network = method.data.train, copy.deepcopy(method.learners[1].network).eval()
    images = train.images[:, 1:-1, 1:-1].permute(0, 3, 1, 2).float() / 255
    logits = network((images - 0.5) / 0.25)
    expected = logits.logsumexp(1) - logits.gather(1, train.given[:, None])[:, 0]
    division = method.divide_samples()[1]
    np.testing.assert_allclose(division.losses, expected.detach().numpy(), rtol=1e-4, atol=1e-5)
    assert np.array_equal(division.labeled, division.mixture.clean_probability > division.threshold)
    assert np.array_equal(
        division.weight.numpy(), division.mixture.clean_probability.astype(np.float32)
    )


@pytest.mark.parametrize("length", [1, 3])
def test_the_mixture_sees_the_mean_of_the_last_normalised_losses(length, monkeypatch):
    method = make(epochs=6, loss_history=length, networks=1)
    seen, raw, fit, predictions = [], [], dividemix_division.fit_mixture, method.predictions

    def spied_fit(losses):
        seen.append(losses.copy())
        return fit(losses)

    def spied_predictions(epoch):
        found = predictions(epoch)
        raw.append(found[0][1].loss.numpy().astype(np.float64))
        return found

    monkeypatch.setattr(dividemix_division, "fit_mixture", spied_fit)
    monkeypatch.setattr(method, "predictions", spied_predictions)
    list(method)
    assert len(seen) == len(raw) == 6  # five divisions, and one more for the table of samples
    for k, losses in enumerate(seen):
        window = [(v - v.min()) / (v.max() - v.min()) for v in raw[max(0, k + 1 - length) : k + 1]]
        np.testing.assert_allclose(losses, sum(window) / len(window), rtol=1e-5, atol=1e-6)


def test_both_networks_judge_before_either_trains(monkeypatch):
    method = make()
    next(method)
    events, divide = [], method.divide_samples
    for k, learner in enumerate(method.learners):

        def step(loss, k=k, original=learner.step):
            events.append(f"step{k}")
            original(loss)

        monkeypatch.setattr(learner, "step", step)

    def spied(finished=0):
        events.append("divide")
        return divide(finished)

    monkeypatch.setattr(method, "divide_samples", spied)
    next(method)
    order = [event for i, event in enumerate(events) if i == 0 or events[i - 1] != event]
    assert order == ["divide", "step0", "step1"]


@pytest.mark.parametrize(("co_divide", "sizes"), [(True, [50, 30]), (False, [30, 50])])
def test_a_network_trains_on_the_peers_division_or_without_co_divide_on_its_own(
    co_divide, sizes, monkeypatch
):
    method = make(batch_size=64, co_divide=co_divide)
    drawn = spy_on_views(method, monkeypatch)
    found = divisions(method, 30, 50)
    train_on(method, found)
    labeled = [set(index) for index, _ in drawn[::2]]
    assert [len(index) for index in labeled] == sizes
    judges = found[::-1] if co_divide else found
    assert labeled == [set(np.flatnonzero(division.labeled).tolist()) for division in judges]


# --- batches ---


@pytest.mark.parametrize("n_labeled", [1, 15, 16, 17, 40, 100, 118])
def test_each_labeled_sample_comes_once_and_unlabeled_ones_in_turns_that_differ_by_one(
    n_labeled, monkeypatch
):
    method = make(n=120, batch_size=16, networks=1)
    drawn = spy_on_views(method, monkeypatch)
    found = divisions(method, n_labeled)
    train_on(method, found)
    labeled = Counter(i for index, _ in drawn[::2] for i in index)
    unlabeled = Counter(i for index, _ in drawn[1::2] for i in index)
    outside = set(np.flatnonzero(~found[0].labeled).tolist())
    assert len(drawn) == 2 * -(-n_labeled // 16)
    assert sorted(labeled) == np.flatnonzero(found[0].labeled).tolist()
    assert set(labeled.values()) == {1}
    assert set(unlabeled) <= outside
    turns = [unlabeled[i] for i in outside]
    assert max(turns) - min(turns) <= 1
    full_turn = -(-len(outside) // 16)
    assert min(turns) == len(drawn) // 2 // full_turn


def test_labeled_and_unlabeled_samples_of_an_epoch_partition_the_training_set(monkeypatch):
    method = make(networks=1, batch_size=16)
    drawn = spy_on_views(method, monkeypatch)
    found = divisions(method, 64)  # four steps are enough to see all 56 unlabeled ones
    train_on(method, found)
    labeled, unlabeled = ({i for index, _ in drawn[k::2] for i in index} for k in (0, 1))
    assert not labeled & unlabeled
    assert labeled | unlabeled == set(range(120))


def test_the_order_changes_from_epoch_to_epoch_and_from_network_to_network():
    method = make()
    labeled = divisions(method, 64)[0].labeled
    orders = {}
    for epoch, own in ((1, 0), (1, 1), (2, 0)):
        method.epoch = epoch
        orders[epoch, own] = [i for x, _, _ in method.batches(labeled, own) for i in x.tolist()]
    assert len({tuple(order) for order in orders.values()}) == 3
    assert len({tuple(sorted(order)) for order in orders.values()}) == 1


def test_unlabeled_samples_that_start_again_come_in_a_new_order(monkeypatch):
    method = make(networks=1, batch_size=16)
    drawn = spy_on_views(method, monkeypatch)
    train_on(
        method, divisions(method, 90)
    )  # six steps, and 30 unlabeled samples: three turns of 16 + 14
    turns = [tuple(a + b) for (a, _), (b, _) in zip(drawn[1::4], drawn[3::4], strict=True)]
    assert len(set(turns)) == len(turns) == 3
    assert len({tuple(sorted(turn)) for turn in turns}) == 1


def test_the_augmentation_changes_from_epoch_to_epoch_and_from_network_to_network(monkeypatch):
    method = make()
    monkeypatch.setattr(
        method, "shuffled", lambda index, *counters: torch.from_numpy(index)
    )  # the same images
    drawn = spy_on_views(method, monkeypatch)
    same_division = divisions(method, 60) * 2
    for epoch in (1, 2):
        train_on(method, same_division, epoch)
    first = [drawn[start] for start in (0, 8, 16, 24)]  # first batch of each network in each epoch
    assert all(index == first[0][0] for index, _ in first)
    views = [view for _, pair in first for view in pair]
    assert len(views) == 8
    assert all(not torch.equal(a, b) for a, b in itertools.combinations(views, 2))


def test_every_mixture_in_the_plane_is_fitted_with_a_seed_of_its_own(monkeypatch):
    method = make(epochs=3, division="both", neighbors=10)
    seeds, fit = [], dividemix_division.fit_plane

    def spied(evidence, seed):
        seeds.append(seed)
        return fit(evidence, seed)

    monkeypatch.setattr(dividemix_division, "fit_plane", spied)
    list(method)
    assert len(set(seeds)) == len(seeds) == 6  # two networks, two divisions, and the last record


def test_the_unlabeled_weight_rises_within_the_epoch_by_the_authors_count_of_steps():
    method = make(networks=1, batch_size=16)
    method.epoch = 4
    progress = [p for _, _, p in method.batches(divisions(method, 40)[0].labeled, 0)]
    assert progress == [4, 4 + 1 / 3, 4 + 2 / 3]
    progress = [p for _, _, p in method.batches(divisions(method, 32)[0].labeled, 0)]
    assert progress == [4, 4 + 1 / 3]  # num_iter = n // B + 1, one more than there are


def test_the_row_reports_the_unlabeled_weight_of_the_last_step():
    method = make(networks=1, batch_size=16, warmup_epochs=2, rampup_epochs=8, lambda_u=10)
    row = train_on(method, divisions(method, 40), epoch=4)
    assert row["schedule/lambda_u"] == pytest.approx(10 * (2 + 2 / 3) / 8)


# --- who moves ---


def spy_on_steps(method, monkeypatch):
    """[(network, copies of all networks after its step)], in the order of the steps."""
    steps = []
    for k, learner in enumerate(method.learners):

        def step(loss, k=k, original=learner.step):
            original(loss)
            steps.append((k, all_weights(method)))

        monkeypatch.setattr(learner, "step", step)
    return steps


def test_the_peers_parameters_and_buffers_stay_bit_identical_while_a_network_trains(monkeypatch):
    method = make()
    start = all_weights(method)
    steps = spy_on_steps(method, monkeypatch)
    train_on(method, divisions(method, 60, 60))
    first = [state for k, state in steps if k == 0]
    second = [state for k, state in steps if k == 1]
    assert len(first) == len(second) == 4
    assert [k for k, _ in steps] == [0] * 4 + [1] * 4
    assert all(same(state[1], start[1]) for state in first)
    assert all(same(state[0], first[-1][0]) for state in second)
    assert same(weights(method.learners[0]), first[-1][0])
    assert not same(first[-1][0], start[0])
    assert not same(second[-1][1], start[1])


def test_own_buffers_move_even_where_the_learning_rate_is_too_small_for_a_weight_to_move():
    method = make(lr=1e-30)
    start = all_weights(method)
    train_on(method, divisions(method, 60, 60))
    for before, after in zip(start, all_weights(method), strict=True):
        moved = {name for name in before if (before[name] - after[name]).abs().max() > 1e-20}
        assert moved == {name for name in before if "running" in name or "tracked" in name}


@pytest.mark.parametrize(
    ("switches", "updates"),
    [
        ({}, 5),
        ({"co_refine": False}, 3),
        ({"co_guess": "peer"}, 3),
        ({"co_guess": False}, 5),
        ({"guess_mode": "eval"}, 1),
    ],
    ids=str,
)
def test_batch_norm_is_updated_once_a_view_in_train_mode_and_once_by_the_mixed_batch(
    switches, updates
):
    method = make(batch_size=64, **switches)
    train_on(method, divisions(method, 60, 60))
    for learner in method.learners:
        assert learner.network.state_dict()["1.num_batches_tracked"] == updates


def test_the_first_network_is_guided_by_the_old_second_and_the_second_by_the_new_first(monkeypatch):
    method = make()
    start, guides = all_weights(method), []
    guess = dividemix.guessed_targets

    def spied(m, own, guide, views):
        guides.append((method.learners.index(guide), weights(guide)))
        return guess(m, own, guide, views)

    monkeypatch.setattr(dividemix, "guessed_targets", spied)
    train_on(method, divisions(method, 60, 60))
    end = all_weights(method)
    assert [guide for guide, _ in guides] == [1] * 4 + [0] * 4
    assert all(same(state, start[1]) for guide, state in guides if guide == 1)
    assert all(same(state, end[0]) for guide, state in guides if guide == 0)
    assert not same(end[0], start[0])


@pytest.mark.parametrize(("networks", "per_image"), [(2, 18), (1, 16)])
def test_work_is_18_image_forwards_per_labeled_image_and_16_with_one_network(networks, per_image):
    method = make(n=64, networks=networks)
    train_on(method, divisions(method, 32, 32)[:networks])
    assert method.forwards == per_image * 32 * networks  # as many unlabeled images as labeled ones


# --- equalities between switches ---


def test_one_network_equals_two_where_the_peer_is_its_own_copy():
    one, two = (
        make(batch_size=64, networks=networks, guess_mode="eval", rampup_epochs=0)
        for networks in (1, 2)
    )
    two.learners[1] = copy.deepcopy(two.learners[0])
    found = divisions(one, 60)  # one step, after which the copy would lag behind
    start = weights(one.learners[0])
    rows = train_on(one, found), train_on(two, [found[0], found[0]])
    assert rows[0]["loss/unlabeled"] > 0
    a, b = weights(one.learners[0]), weights(two.learners[0])
    assert not same(a, start)
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-5, atol=1e-6)


def test_without_co_refine_training_equals_co_refine_with_full_weights():
    off, on = (make(guess_mode="eval", co_refine=value) for value in (False, True))
    found = divisions(on, 60, 70)
    train_on(off, found)  # its random weights may not matter
    for division in found:
        division.weight = torch.ones_like(division.weight)
    train_on(on, found)
    assert all_same(all_weights(off), all_weights(on))


def test_a_weight_below_one_matters_with_co_refine():
    runs = []
    for level in (1.0, 0.6):
        method = make(guess_mode="eval")
        found = divisions(method, 60, 70)
        for division in found:
            division.weight = torch.full_like(division.weight, level)
        train_on(method, found)
        runs.append(all_weights(method))
    assert not all_same(*runs)


def plain_network(seed: int) -> nn.Module:
    """Without BatchNorm, so that rows of a batch meet in the losses only."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 3))


def influence(plain: bool, switches: dict) -> bool:
    """Whether the pixels of the unlabeled images change the weights after an epoch."""
    ends = []
    for disturbed in (False, True):
        method = make(networks=1, guess_mode="eval", rampup_epochs=0, **switches)
        if plain:
            method.learners = [Learner(plain_network(0), method.config.train, CPU)]
        found = divisions(method, 60)
        if disturbed:
            unlabeled = torch.from_numpy(~found[0].labeled)
            method.data.train.images[unlabeled] = 255 - method.data.train.images[unlabeled]
        train_on(method, found)
        ends.append(
            {
                name: value
                for name, value in weights(method.learners[0]).items()
                if "running" not in name
            }
        )
    return not same(*ends)


ALONE = {"lambda_u": 0.0, "prior_penalty": 0.0, "mixup": False}


def test_without_unlabeled_loss_prior_penalty_mixup_and_batch_norm_unlabeled_images_have_no_influence():
    assert not influence(plain=True, switches=ALONE)


@pytest.mark.parametrize(
    "back", [{"lambda_u": 25.0}, {"prior_penalty": 1.0}, {"mixup": True}], ids=str
)
def test_each_of_unlabeled_loss_prior_penalty_and_mixup_alone_lets_unlabeled_images_in(back):
    assert influence(plain=True, switches={**ALONE, **back})


def test_batch_norm_alone_lets_unlabeled_images_in():
    assert influence(plain=False, switches=ALONE)


# --- randomness and knowledge ---


def whole_run(**kwargs):
    method = make(epochs=4, batch_size=8, **kwargs)
    return without_time(list(method)), all_weights(method)


def test_the_same_seed_gives_the_same_rows_and_weights():
    (rows, end), (again, end_again) = whole_run(), whole_run()
    assert len(rows) == 4
    assert rows == again
    assert all_same(end, end_again)


def test_another_seed_gives_other_rows_and_weights():
    (rows, end), (other, other_end) = whole_run(), whole_run(seed=1)
    assert all(a != b for a, b in zip(rows, other, strict=True))
    assert not all_same(end, other_end)


def test_global_generators_are_neither_used_nor_moved():
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    before = torch.random.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    rows, end = whole_run()
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002
    torch.manual_seed(2)
    np.random.seed(2)  # noqa: NPY002
    again, end_again = whole_run()
    assert rows == again
    assert all_same(end, end_again)


def test_true_labels_reach_no_weight_and_no_decision():
    method, tainted = make(epochs=4, batch_size=8), make(epochs=4, batch_size=8)
    for split in (tainted.data.train, tainted.data.validation, tainted.data.test):
        split.true = torch.randint(
            0, 3, split.true.shape, generator=torch.Generator().manual_seed(9)
        )
    rows, other = without_time(list(method)), without_time(list(tainted))
    assert all_same(all_weights(method), all_weights(tainted))
    measured = ("auc", "precision", "recall", "residual_noise", "guess/", "accuracy_true", "test/")
    for row, tainted_row in zip(rows, other, strict=True):
        blind = [name for name in row if not any(part in name for part in measured)]
        assert {name: row[name] for name in blind} == {name: tainted_row[name] for name in blind}
    assert rows[-1]["train/accuracy_true"] != other[-1]["train/accuracy_true"]


@pytest.mark.parametrize(
    "switches",
    [
        {"mixup": False},
        {"co_refine": False},
        {"co_guess": False},
        {"co_guess": "peer"},
        {"prior_penalty": 0.0},
        {"temperature": 1.0},
        {"alpha": 0.5},
        {"lambda_u": 0.0},
        {"guess_mode": "eval"},
    ],
    ids=str,
)
def test_a_switch_does_not_shift_the_order_or_the_augmentation(switches, monkeypatch):
    drawn = []
    for chosen in ({}, switches):
        method = make(**chosen)
        drawn.append(spy_on_views(method, monkeypatch))
        train_on(method, divisions(method, 60, 70))
    assert len(drawn[0]) == len(drawn[1]) == 2 * (4 + 5)
    for (index, views), (other_index, other_views) in zip(*drawn, strict=True):
        assert index == other_index
        assert all(map(torch.equal, views, other_views))


def test_a_switch_does_not_shift_the_mixups_draws(monkeypatch):
    draws = []
    for switches in (
        {},
        {"co_refine": False, "co_guess": "peer", "prior_penalty": 0.0, "temperature": 1.0},
    ):
        method = make(**switches)
        seen = []
        mix = dividemix_step.mix

        def spied(rows, weight, partner, seen=seen, mix=mix):
            seen.append((weight, partner.tolist()))
            return mix(rows, weight, partner)

        with monkeypatch.context() as patch:
            patch.setattr(dividemix_step, "mix", spied)
            train_on(method, divisions(method, 60, 70))
        draws.append(seen)
    assert draws[0] == draws[1]
    assert all(
        draws[0][i] == draws[0][i + 1] for i in range(0, len(draws[0]), 2)
    )  # images and targets alike
    assert all(0.5 <= weight <= 1 for weight, _ in draws[0])
    assert (
        len({weight for weight, _ in draws[0]}) == len(draws[0]) / 2
    )  # one draw a step, each network its own


def test_a_sample_that_leaves_the_labeled_set_does_not_reorder_the_others():
    method = make()
    labeled = divisions(method, 60)[0].labeled
    fewer = labeled.copy()
    gone = int(np.flatnonzero(labeled)[7])
    fewer[gone] = False
    orders = [
        [i for x, _, _ in method.batches(mask, 0) for i in x.tolist()] for mask in (labeled, fewer)
    ]
    assert [i for i in orders[0] if i != gone] == orders[1]


def test_warmup_neither_divides_nor_keeps_a_loss_history():
    method = make(epochs=3)
    first = next(method)
    assert first["phase"] == "warmup"
    assert not any(name.startswith(("division/", "mixture/", "guess/")) for name in first)
    assert method.history == [[], []]
    second = next(method)
    assert second["phase"] == "dividemix"
    assert {
        f"division/{name}_net{k}" for name in ("auc", "labeled_fraction") for k in (0, 1)
    } <= second.keys()


def test_the_loss_is_the_sum_of_its_three_parts():
    method = make(networks=1, batch_size=64, rampup_epochs=0, lambda_u=7.0, prior_penalty=0.5)
    seen = []
    original = method.learners[0].step
    method.learners[0].step = lambda loss: (seen.append(loss.item()), original(loss))
    row = train_on(method, divisions(method, 60))
    expected = row["loss/labeled"] + 7 * row["loss/unlabeled"] + 0.5 * row["loss/prior"]
    assert seen == [pytest.approx(expected, rel=1e-5)]


def test_guess_accuracy_compares_the_targets_with_the_truth(monkeypatch):
    method = make(networks=1, batch_size=128)
    drawn = spy_on_views(method, monkeypatch)

    def guessed(m, own, guide, views):
        (index, _) = drawn[-1]
        true = method.data.train.true[index]
        wrong = torch.arange(len(true)) % 4 == 0  # every fourth guess
        return F.one_hot((true + wrong) % 3, 3).float()

    monkeypatch.setattr(dividemix, "guessed_targets", guessed)
    row = train_on(method, divisions(method, 50))
    assert row["guess/accuracy"] == pytest.approx(100 * 52 / 70)
