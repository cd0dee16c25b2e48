"""Noise models against METHOD.md E: exact counts, rates within four standard deviations, who may become what."""

import numpy as np
import pytest

from trainable.config import NoNoise, PairNoise, SymmetricNoise
from trainable.data.noise import class_dependent, corrupt

N = 50_000


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def balanced(classes: int, n: int = N) -> np.ndarray:
    return np.arange(n) % classes


def within_four_sigma(hits: int, trials: int, probability: float) -> bool:
    return abs(hits - trials * probability) <= 4 * np.sqrt(trials * probability * (1 - probability))


# --- none ---


def test_no_noise_gives_a_copy_of_the_labels():
    labels = balanced(10, 100)
    given = corrupt(labels, 10, NoNoise(), rng())
    assert np.array_equal(given, labels)
    assert not np.shares_memory(given, labels)


# --- symmetric, the true class included ---


@pytest.mark.parametrize(
    ("n", "rate", "count"),
    [
        (N, 0.2, 10_000),
        (N, 0.9, 45_000),
        (1437, 0.2, 287),  # 287.4
        (1437, 0.8, 1149),  # 1149.6: cut off, not rounded
        (100, 0.29, 29),  # 28.999999999999996 in floating point
        (1000, 0.57, 570),  # 569.9999999999999
        (100, 0.0, 0),
        (100, 1.0, 100),
    ],
)
def test_exactly_the_whole_part_of_rate_times_n_samples_are_drawn_again(n, rate, count):
    # A label outside the classes shows who was drawn, whatever class they got.
    given = corrupt(np.full(n, -1), 10, SymmetricNoise(rate=rate), rng())
    assert (given >= 0).sum() == count


@pytest.mark.parametrize("classes", [10, 100])
@pytest.mark.parametrize("rate", [0.2, 0.5, 0.8, 0.9])
def test_inclusive_noise_has_the_actual_rate_r_times_one_minus_one_over_c(rate, classes):
    labels = balanced(classes)
    wrong = int((corrupt(labels, classes, SymmetricNoise(rate=rate), rng()) != labels).sum())
    assert within_four_sigma(wrong, int(rate * N), 1 - 1 / classes)


def test_inclusive_noise_may_keep_the_true_class_and_is_uniform_over_all():
    given = corrupt(np.zeros(N, int), 5, SymmetricNoise(rate=1.0), rng())
    assert all(within_four_sigma(int(count), N, 1 / 5) for count in np.bincount(given, minlength=5))


def test_inclusive_noise_is_spread_over_the_whole_set_not_its_beginning():
    given = corrupt(np.full(N, -1), 10, SymmetricNoise(rate=0.5), rng())
    first_half = int((given[: N // 2] >= 0).sum())
    assert abs(first_half - N / 4) < 4 * np.sqrt(N) / 4  # hypergeometric: sd = √(n/16)


# --- symmetric, the true class excluded ---


def test_exclusive_noise_of_rate_one_changes_every_label():
    labels = balanced(10)
    given = corrupt(labels, 10, SymmetricNoise(rate=1.0, include_true=False), rng())
    assert not (given == labels).any()
    assert set(given) == set(range(10))


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.8])
def test_exclusive_noise_has_the_stated_rate(rate):
    labels = balanced(10)
    given = corrupt(labels, 10, SymmetricNoise(rate=rate, include_true=False), rng())
    assert within_four_sigma(int((given != labels).sum()), N, rate)


def test_exclusive_noise_is_uniform_over_the_other_classes():
    given = corrupt(np.full(N, 2), 5, SymmetricNoise(rate=1.0, include_true=False), rng())
    counts = np.bincount(given, minlength=5)
    assert counts[2] == 0
    assert all(within_four_sigma(int(count), N, 1 / 4) for count in counts[[0, 1, 3, 4]])


def test_exclusive_noise_of_two_classes_swaps_them():
    labels = balanced(2, 50)
    assert np.array_equal(corrupt(labels, 2, SymmetricNoise(rate=1.0, include_true=False), rng()), 1 - labels)


# --- pair ---


def test_pair_noise_of_rate_one_moves_every_class_to_the_next():
    labels = balanced(10)
    assert np.array_equal(corrupt(labels, 10, PairNoise(rate=1.0), rng()), (labels + 1) % 10)


def test_pair_noise_has_the_stated_rate_in_every_class_and_one_target():
    labels = balanced(10)
    given = corrupt(labels, 10, PairNoise(rate=0.45), rng())
    moved = given != labels
    assert np.array_equal(given[moved], (labels[moved] + 1) % 10)
    assert all(within_four_sigma(int(moved[labels == c].sum()), N // 10, 0.45) for c in range(10))


# --- all ---

ALL = pytest.mark.parametrize(
    "noise",
    [SymmetricNoise(rate=0.4), SymmetricNoise(rate=0.4, include_true=False), PairNoise(rate=0.4)],
    ids=["inclusive", "exclusive", "pair"],
)


@ALL
def test_the_labels_that_are_passed_in_stay_as_they_are(noise):
    labels = balanced(10, 1000)
    corrupt(labels, 10, noise, rng())
    assert np.array_equal(labels, balanced(10, 1000))


@ALL
def test_a_seed_decides_the_noise(noise):
    labels = balanced(10, 1000)
    first, again, other = (corrupt(labels, 10, noise, rng(seed)) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@ALL
def test_noisy_labels_are_classes_of_the_same_type(noise):
    labels = balanced(3, 1000)
    given = corrupt(labels, 3, noise, rng())
    assert given.dtype == labels.dtype
    assert set(given) == {0, 1, 2}


@pytest.mark.parametrize("kind", [SymmetricNoise, PairNoise])
def test_noise_of_rate_zero_changes_nothing(kind):
    labels = balanced(10, 1000)
    assert np.array_equal(corrupt(labels, 10, kind(rate=0.0), rng()), labels)


def test_only_pair_noise_depends_on_the_class():
    assert class_dependent(PairNoise(rate=0.4))
    assert not class_dependent(SymmetricNoise(rate=0.4))
    assert not class_dependent(NoNoise())
