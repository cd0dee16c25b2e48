"""Degenerate epochs are defined, not accidental (docs/design.md): each ends in finite rows or in a typed error."""

import contextlib
import math

import numpy as np
import pytest
import torch

from tests.trainable.methods.tiny import all_same, all_weights, make, same, without_time
from trainable.errors import DataError, NonFiniteLoss
from trainable.methods import dividemix, dividemix_division
from trainable.methods.base import Method, Row


def finish(method: Method, epochs: int | None = None) -> list[Row]:
    """All rows to come, which must be finite, as must the weights at the end."""
    rows = list(method)
    assert len(rows) == (epochs or method.config.train.epochs)
    for row in rows:
        assert all(math.isfinite(value) for value in row.values() if not isinstance(value, str)), (
            row
        )
    for state in all_weights(method):
        assert all(tensor.isfinite().all() for tensor in state.values())
    return rows


def force(monkeypatch, n_labeled: int) -> None:
    """Whatever the losses say, the first `n_labeled` samples are labeled."""

    def split(clean_probability, threshold, inclusive):
        return np.arange(len(clean_probability)) < n_labeled, threshold

    monkeypatch.setattr(dividemix_division, "split", split)


# --- sizes of the two sides ---

N = 140


@pytest.mark.parametrize("n_labeled", [1, 63, 64, 65, N - 1, N])
@pytest.mark.parametrize("networks", [1, 2])
def test_every_size_of_the_labeled_set_trains_in_steps_of_64(n_labeled, networks, monkeypatch):
    force(monkeypatch, n_labeled)
    method = make(n=N, batch_size=64, epochs=2, networks=networks)
    next(method)
    before, steps = all_weights(method), []
    for k, learner in enumerate(method.learners):

        def step(loss, k=k, original=learner.step):
            original(loss)
            steps.append(k)

        monkeypatch.setattr(learner, "step", step)
    row = finish(method, epochs=1)[0]
    expected = -(-n_labeled // 64)
    assert [steps.count(k) for k in range(networks)] == [expected] * networks
    assert not any(same(a, b) for a, b in zip(before, all_weights(method), strict=True))
    assert row["division/labeled_fraction_net0"] == pytest.approx(n_labeled / N)


@pytest.mark.parametrize("guess_mode", ["train", "eval"])
def test_without_unlabeled_samples_the_row_has_no_unlabeled_loss_and_no_guess(
    guess_mode, monkeypatch
):
    force(monkeypatch, N)
    row = finish(make(n=N, epochs=2, guess_mode=guess_mode))[-1]
    assert "loss/unlabeled" not in row
    assert "guess/accuracy" not in row
    assert row["loss/prior"] >= 0


def test_a_single_unlabeled_sample_is_left_out(monkeypatch):
    force(monkeypatch, N - 1)
    row = finish(make(n=N, epochs=2))[-1]
    assert "loss/unlabeled" not in row
    assert "guess/accuracy" not in row


@pytest.mark.parametrize("n_labeled", [30, 110])
def test_an_unlabeled_set_longer_or_shorter_than_the_labeled_one_trains_to_the_end(
    n_labeled, monkeypatch
):
    force(monkeypatch, n_labeled)
    rows = finish(make(n=N, epochs=3))
    assert rows[-1]["loss/unlabeled"] > 0


@pytest.mark.parametrize("level", [0.2, 0.9])
def test_a_posterior_on_one_side_of_the_threshold_still_divides(level, monkeypatch):
    fit = dividemix_division.fit_mixture

    def squeezed(losses):
        mixture = fit(losses)
        narrow = level + 0.05 * mixture.clean_probability / mixture.clean_probability.max()
        return dividemix_division.Mixture(narrow, mixture.means, mixture.sds, mixture.weights)

    monkeypatch.setattr(dividemix_division, "fit_mixture", squeezed)
    row = finish(make(epochs=2))[-1]
    for k in (0, 1):
        assert 0 < row[f"division/labeled_fraction_net{k}"] < 1
        assert level < row[f"division/threshold_net{k}"] < level + 0.05


# --- labels and losses ---


def test_clean_labels_leave_out_the_auc_and_have_full_precision():
    row = finish(make(noise={"name": "none"}))[-1]
    assert "division/auc_net0" not in row
    assert row["division/precision_net0"] == 1
    assert row["division/residual_noise_net1"] == 0
    assert 0 < row["division/recall_net0"] <= 1


def test_wrong_labels_only_leave_out_the_auc_and_the_recall_and_have_no_precision():
    method = make(noise={"name": "symmetric", "rate": 1.0, "include_true": False})
    assert method.data.noise_rate == 1
    row = finish(method)[-1]
    assert "division/auc_net0" not in row
    assert "division/recall_net0" not in row
    assert row["division/precision_net0"] == 0
    assert row["division/residual_noise_net1"] == 1


@pytest.mark.parametrize("networks", [1, 2])
def test_constant_losses_make_every_sample_labeled(networks):
    method = make(epochs=1, warmup_epochs=0, networks=networks)
    for learner in method.learners:
        last = learner.network[-1]
        torch.nn.init.zeros_(last.weight)
        torch.nn.init.zeros_(last.bias)
    row = finish(method)[-1]
    assert row["division/labeled_fraction_net0"] == 1
    assert row["mixture/weight_clean_net0"] == 1
    assert "loss/unlabeled" not in row


@pytest.mark.parametrize("classes", [2, 100])
def test_two_and_a_hundred_classes_train_to_the_end(classes):
    rows = finish(make(n=200, classes=classes))
    assert ("test/top5" in rows[-1]) == (classes == 100)
    assert rows[-1]["loss/prior"] >= 0


# --- length of the warm-up ---


def test_without_warmup_the_first_epoch_is_dividemixs():
    rows = finish(make(warmup_epochs=0, epochs=2))
    assert [row["phase"] for row in rows] == ["dividemix", "dividemix"]
    assert rows[0]["schedule/lambda_u"] > 0


@pytest.mark.parametrize("warmup_epochs", [3, 4])
def test_a_warmup_as_long_as_the_trial_is_plain_cross_entropy(warmup_epochs):
    method, plain = make(warmup_epochs=warmup_epochs), make("cross_entropy")
    rows, expected = finish(method), finish(plain)
    assert [row["phase"] for row in rows] == ["warmup"] * 3
    assert [row["loss/labeled"] for row in without_time(rows)] == [
        row["loss/labeled"] for row in expected
    ]
    assert all_same(all_weights(method), all_weights(plain))


@pytest.mark.parametrize("warmup_epochs", [3, 4])
def test_a_warmup_as_long_as_the_trial_leaves_a_record_of_the_last_epoch(warmup_epochs):
    method = make(warmup_epochs=warmup_epochs)
    finish(method)
    assert 3 in method.records
    assert method.records[3]["loss"].shape == (2, 120)


def test_records_are_of_the_last_warmup_a_middle_and_the_last_epoch():
    method = make(warmup_epochs=2, epochs=6)
    finish(method)
    assert sorted(method.records) == [2, 4, 6]


# --- divergence ---

HELP = r"the loss of network {network} is nan in epoch {epoch}\. .*train\.lr: 0\.1$"


def poison(method: Method, network: int) -> None:
    with torch.no_grad():
        method.learners[network].network[-1].bias[0] = float("nan")


@pytest.mark.parametrize("network", [0, 1])
@pytest.mark.parametrize("name", ["cross_entropy", "dividemix"])
def test_a_nan_in_plain_training_ends_it_with_a_sentence(name, network):
    method = make(name)
    poison(method, network)
    with pytest.raises(NonFiniteLoss, match=HELP.format(network=network, epoch=1)):
        next(method)


@pytest.mark.parametrize("network", [0, 1])
def test_a_nan_in_the_division_ends_it_with_a_sentence(network):
    method = make()
    next(method)
    poison(method, network)
    with pytest.raises(NonFiniteLoss, match=HELP.format(network=network, epoch=2)):
        next(method)


def test_a_nan_in_a_dividemix_step_ends_it_with_a_sentence(monkeypatch):
    method = make()
    next(method)
    losses = dividemix.losses

    def diverged(*args, **kwargs):
        loss_x, loss_u, loss_prior = losses(*args, **kwargs)
        return loss_x, loss_u * float("nan"), loss_prior

    monkeypatch.setattr(dividemix, "losses", diverged)
    with pytest.raises(NonFiniteLoss, match=HELP.format(network=0, epoch=2)):
        next(method)


@pytest.mark.parametrize("name", ["cross_entropy", "dividemix"])
def test_a_learning_rate_far_too_large_ends_in_the_typed_error(name):
    method = make(name, lr=1e20, epochs=4)
    with pytest.raises(NonFiniteLoss):
        list(method)


@pytest.mark.parametrize(
    ("name", "switches"),
    [
        ("cross_entropy", {}),
        ("dividemix", {"warmup_epochs": 1}),
        ("dividemix", {"warmup_epochs": 0}),
    ],
    ids=["cross_entropy", "warmup", "dividemix"],
)
def test_weights_that_diverge_in_the_last_step_of_all_do_not_count_as_a_result(
    name, switches, monkeypatch
):
    method = make(name, epochs=1, batch_size=256, **switches)
    for k, learner in enumerate(method.learners):

        def step(loss, k=k, original=learner.step):
            original(loss)
            poison(method, k)  # the loss of the one step was finite

        monkeypatch.setattr(learner, "step", step)
    with pytest.raises(NonFiniteLoss, match=r"of network \d .* in epoch 1\."):
        next(method)


# --- batches of one image ---


@pytest.mark.parametrize("model", ["small_cnn", "preact_resnet18"])
def test_a_last_batch_of_one_image_trains_or_the_network_refuses_images_of_that_size(model):
    with contextlib.suppress(DataError):
        finish(
            make("cross_entropy", n=5, epochs=1, batch_size=2, networks=1, model={"name": model})
        )  # 4 + 1 images


@pytest.mark.parametrize("n_labeled", [1, 5])
@pytest.mark.parametrize("model", ["small_cnn", "preact_resnet18"])
def test_a_side_of_one_image_trains_or_the_network_refuses_images_of_that_size(
    model, n_labeled, monkeypatch
):
    force(monkeypatch, n_labeled)
    with contextlib.suppress(DataError):
        finish(
            make(n=6, epochs=1, warmup_epochs=0, batch_size=8, networks=1, model={"name": model})
        )
