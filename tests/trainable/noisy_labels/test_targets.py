"""Sharpening, co-guess, co-refine and MixUp against numbers worked out by hand (docs/golden-values.md)."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from trainable.config.dividemix import DivideMix as DivideMixConfig
from trainable.config.optimization import Train
from trainable.config.trial import TrialConfig
from trainable.methods import dividemix, dividemix_step
from trainable.noisy_labels.gaussian_mixture import Mixture
from trainable.noisy_labels.targets import co_guess, co_refine, harden, mix, mixup_partners, sharpen
from trainable.random_streams import Streams

CLOSE = {"rtol": 0, "atol": 1e-6}  # the numbers have six digits


def random_rows(rows: int, classes: int, seed: int = 0) -> torch.Tensor:
    return (
        torch.randn(rows, classes, generator=torch.Generator().manual_seed(seed)).mul(2).softmax(1)
    )


def one_hot(label: int, classes: int) -> torch.Tensor:
    return torch.eye(classes)[label][None]


# --- sharpen ---


@pytest.mark.parametrize("temperature", [0.1, 0.5, 0.9, 1.0, 2.0])
def test_sharpen_is_the_power_normalised(temperature):
    rows = random_rows(50, 7)
    power = rows.double() ** (1 / temperature)
    torch.testing.assert_close(
        sharpen(rows, temperature).double(), power / power.sum(1, keepdim=True), **CLOSE
    )


def test_temperature_one_is_the_identity():
    rows = random_rows(20, 5)
    assert torch.equal(sharpen(rows, 1.0), rows)


@pytest.mark.parametrize("temperature", [0.01, 2.0])
def test_one_hot_rows_are_fixed_points_of_sharpen(temperature):
    torch.testing.assert_close(sharpen(torch.eye(4), temperature), torch.eye(4), **CLOSE)


def test_a_vanishing_temperature_gives_the_one_hot_of_the_largest():
    rows = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.45, 0.45 - 1e-3]])
    # A power computed directly would underflow to 0/0 here.
    torch.testing.assert_close(sharpen(rows, 1e-6), torch.eye(3)[[0, 1]], **CLOSE)


def test_hardening_is_the_limit_of_sharpening():
    rows = random_rows(20, 5)
    torch.testing.assert_close(harden(rows), sharpen(rows.double(), 1e-6).float(), **CLOSE)
    assert harden(torch.tensor([[0.2, 0.5, 0.3]])).tolist() == [[0, 1, 0]]


# --- co-refine ---


@pytest.mark.parametrize(
    ("weight", "label", "prediction", "expected"),
    [
        (0.8, 0, [0.5, 0.3, 0.2], [0.993621, 0.004416, 0.001963]),
        (0.5, 1, [0.9, 0.05, 0.05], [0.422977, 0.575718, 0.001305]),  # the label still wins
    ],
)
def test_co_refine_gives_the_worked_values(weight, label, prediction, expected):
    refined = co_refine(
        one_hot(label, 3), torch.tensor([weight]), [torch.tensor([prediction])], 0.5
    )
    torch.testing.assert_close(refined, torch.tensor([expected]), **CLOSE)


def test_co_refine_mixes_before_it_sharpens():
    refined = co_refine(one_hot(0, 3), torch.tensor([0.8]), [torch.tensor([[0.5, 0.3, 0.2]])], 1.0)
    torch.testing.assert_close(refined, torch.tensor([[0.9, 0.06, 0.04]]), **CLOSE)


def test_a_certainly_clean_label_is_kept_and_a_certainly_wrong_one_ignored():
    views = [random_rows(6, 4, 1), random_rows(6, 4, 2)]
    labels = torch.eye(4)[torch.tensor([0, 1, 2, 3, 0, 1])]
    assert torch.equal(co_refine(labels, torch.ones(6), views, 0.5), labels)
    expected = sharpen((views[0] + views[1]) / 2, 0.5)
    torch.testing.assert_close(co_refine(labels, torch.zeros(6), views, 0.5), expected, **CLOSE)


def test_co_refine_weighs_each_row_by_its_own_probability():
    labels, views, weights = torch.eye(3), [random_rows(3, 3)], torch.tensor([0.1, 0.5, 0.9])
    together = co_refine(labels, weights, views, 0.5)
    alone = [co_refine(labels[[i]], weights[[i]], [views[0][[i]]], 0.5) for i in range(3)]
    torch.testing.assert_close(together, torch.cat(alone), **CLOSE)


# --- co-guess ---

FOUR = [
    torch.tensor([row])
    for row in ([0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1])
]


def test_co_guess_gives_the_worked_values():
    torch.testing.assert_close(co_guess(FOUR, 1.0), torch.tensor([[0.5, 0.4, 0.1]]), **CLOSE)
    torch.testing.assert_close(
        co_guess(FOUR, 0.5), torch.tensor([[0.595238, 0.380952, 0.023810]]), **CLOSE
    )


@pytest.mark.parametrize("order", [(3, 2, 1, 0), (2, 3, 0, 1), (1, 0, 3, 2)])
def test_co_guess_does_not_depend_on_the_order_of_views_and_networks(order):
    torch.testing.assert_close(
        co_guess([FOUR[i] for i in order], 0.5), co_guess(FOUR, 0.5), **CLOSE
    )


# --- mixup ---


def test_mix_is_the_weighted_sum_with_the_partner():
    rows, partner = (
        torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(0)),
        torch.tensor([2, 0, 1, 4, 3]),
    )
    for weight in (0.5, 0.637, 0.9):
        slow = torch.stack([weight * rows[i] + (1 - weight) * rows[partner[i]] for i in range(5)])
        torch.testing.assert_close(mix(rows, weight, partner), slow, **CLOSE)


def test_a_mixing_weight_of_one_is_the_identity():
    rows = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(mix(rows, 1.0, torch.tensor([5, 4, 3, 2, 1, 0])), rows)


def test_mixed_targets_sum_to_one_and_mixed_pixels_stay_in_the_convex_hull():
    images = torch.rand(8, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    partner = torch.randperm(8, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(mix(random_rows(8, 5), 0.7, partner).sum(1), torch.ones(8), **CLOSE)
    low, high = torch.minimum(images, images[partner]), torch.maximum(images, images[partner])
    mixed = mix(images, 0.7, partner)
    assert ((mixed >= low - 1e-6) & (mixed <= high + 1e-6)).all()


def test_partners_come_from_all_rows_or_from_their_own_side():
    anyone = mixup_partners(np.random.default_rng(0), 20, 8, same_set=False)
    assert sorted(anyone) == list(range(20))
    assert (anyone[:8] >= 8).any()
    own_side = mixup_partners(np.random.default_rng(0), 20, 8, same_set=True)
    assert sorted(own_side[:8]) == list(range(8))
    assert sorted(own_side[8:]) == list(range(8, 20))
    assert mixup_partners(np.random.default_rng(0), 8, 8, same_set=True).tolist() != list(
        range(8)
    )  # no unlabeled rows


class ConstantSamples:
    """Images that carry nothing, so that a step of the method costs microseconds."""

    device, true_known = torch.device("cpu"), True

    def __init__(self, n: int):
        self.given = self.true = torch.zeros(n, dtype=torch.int64)

    def __len__(self) -> int:
        return len(self.given)

    def draws(self, rng):
        return rng

    def views(self, index, count, rng):
        return [index[:, None].float()] * count

    def ahead(self, batches):
        return batches


class ConstantLearner:
    def mode(self, name):
        return nullcontext()

    def probabilities(self, images):
        return torch.full((len(images), 2), 0.5)

    def probabilities_of_views(self, views):
        return [self.probabilities(view) for view in views]

    def __call__(self, images):
        return torch.zeros(len(images), 2)

    def step(self, loss):
        pass


def train_one_epoch(
    monkeypatch, alpha: float, n: int
) -> list[tuple[torch.Tensor, float, torch.Tensor]]:
    """(rows, weight, partner) of every call of `mix` in a DivideMix epoch on `n` labeled and `n` unlabeled samples."""
    calls = []
    monkeypatch.setattr(dividemix_step, "mix", lambda *call: calls.append(call) or mix(*call))
    config = TrialConfig(
        train=Train(batch_size=2), method=DivideMixConfig(alpha=alpha, warmup_epochs=0)
    )
    samples = ConstantSamples(2 * n)
    data = SimpleNamespace(train=samples, classes=2, chosen=lambda rows: samples)
    method = dividemix.DivideMix(config, data, [ConstantLearner(), ConstantLearner()], Streams(0))
    labeled = np.arange(2 * n) < n
    mixture = Mixture(labeled.astype(float), (0.0, 1.0), (0.1, 0.1), (0.5, 0.5))
    division = dividemix.Division(
        np.zeros(2 * n), torch.zeros(2 * n), mixture, labeled, 0.5, torch.ones(2 * n)
    )
    method.train_on([division, division])
    return calls


@pytest.mark.parametrize(("alpha", "mean"), [(4.0, 0.6367), (0.75, 0.7782)])
def test_the_mixing_weight_is_at_least_a_half_and_has_the_mean_of_the_folded_beta(
    monkeypatch, alpha, mean
):
    weights = np.array([weight for _, weight, _ in train_one_epoch(monkeypatch, alpha, 2000)][::2])
    assert len(weights) == 2000  # one draw a step, 1000 steps for each network
    assert weights.min() >= 0.5
    assert abs(weights.mean() - mean) < 4 * weights.std() / np.sqrt(len(weights))


def test_labels_are_mixed_with_the_weight_and_the_partners_of_their_images(monkeypatch):
    calls = train_one_epoch(monkeypatch, 4.0, 8)
    assert len(calls) == 16  # images and targets, 4 steps, 2 networks
    for (images, image_weight, image_partner), (targets, target_weight, target_partner) in zip(
        calls[::2], calls[1::2], strict=True
    ):
        assert images.shape == (8, 1)
        assert targets.shape == (8, 2)
        assert image_weight == target_weight
        assert torch.equal(image_partner, target_partner)
        assert sorted(image_partner.tolist()) == list(
            range(8)
        )  # partners come from labeled and unlabeled together
