"""Noise models: exact counts, rates within four standard deviations, who may become what."""

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import truncnorm

from trainable.config.data import AsymmetricNoise, InstanceNoise, NoNoise, PairNoise, SymmetricNoise
from trainable.data.class_maps import CIFAR100_SUPERCLASS, target_classes
from trainable.data.noise import class_dependent, corrupt, transition
from trainable.errors import DataError

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
    assert np.array_equal(
        corrupt(labels, 2, SymmetricNoise(rate=1.0, include_true=False), rng()), 1 - labels
    )


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


# --- asymmetric ---


def test_the_cifar10_map_moves_five_classes_to_the_authors_targets():
    labels = balanced(10, 100)
    given = corrupt(labels, 10, AsymmetricNoise(rate=1.0), rng())
    moved = {(int(a), int(b)) for a, b in zip(labels, given, strict=True) if a != b}
    assert moved == {(9, 1), (2, 0), (4, 7), (3, 5), (5, 3)}


def test_asymmetric_cifar10_noise_is_half_its_rate_overall_and_its_rate_within_the_five_classes():
    labels = balanced(10)
    given = corrupt(labels, 10, AsymmetricNoise(rate=0.4), rng())
    assert within_four_sigma(
        int((given != labels).sum()), N, 0.2
    )  # METHOD: .2002 in the authors' file
    rates = np.diag(transition(labels, given, 10))
    assert rates[[0, 1, 6, 7, 8]].tolist() == [1.0] * 5
    assert rates[[2, 3, 4, 5, 9]] == pytest.approx([0.6] * 5, abs=4 * np.sqrt(0.24 / 5000))


def test_the_cifar100_map_goes_round_each_superclass_of_five():
    targets = target_classes("cifar100", 100)
    groups = np.array(CIFAR100_SUPERCLASS)
    assert np.bincount(groups).tolist() == [5] * 20
    assert (groups[targets] == groups).all()
    assert sorted(targets) == list(range(100))
    five = np.arange(100)
    for _ in range(5):
        five = targets[five]
    assert np.array_equal(five, np.arange(100))
    assert not (targets == np.arange(100)).any()
    # apple → mushroom, aquarium fish → flatfish, baby → boy, bear → leopard, beaver → dolphin, bed → chair
    assert targets[:6].tolist() == [51, 32, 11, 42, 30, 20]


def test_the_cifar100_map_is_the_one_derived_from_the_published_superclasses(vectors):
    assert target_classes("cifar100", 100).tolist() == vectors["asym100_next_class"]["next"]


def test_asymmetric_cifar100_noise_has_its_rate():
    labels = balanced(100)
    given = corrupt(labels, 100, AsymmetricNoise(rate=0.4, map="cifar100"), rng())
    assert int((given != labels).sum()) == 20_000


def test_a_map_of_ones_own_is_followed_and_one_of_another_size_refused():
    labels = balanced(3, 90)
    given = corrupt(labels, 3, AsymmetricNoise(rate=1.0, map=[2, 1, 0]), rng())
    assert np.array_equal(given, 2 - labels)
    for wrong in ("cifar10", [1, 0], [0, 1, 3]):
        with pytest.raises(DataError, match=r"^noise\.map: .*\b3 classes"):
            corrupt(labels, 3, AsymmetricNoise(rate=0.4, map=wrong), rng())


# --- instance ---


def pictures(n: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 6, 6, 3), dtype=np.uint8)


@pytest.mark.parametrize("rate", [0.2, 0.4])
def test_instance_noise_has_about_its_rate(rate):
    labels = balanced(10, 20_000)
    wrong = (
        corrupt(labels, 10, InstanceNoise(rate=rate), rng(), pictures(20_000)) != labels
    ).mean()
    # The samples' own rates are a normal of sd 0.1 cut at 0: its mean is a little above the nominal rate at 0.2.
    mean = {0.2: 0.2055, 0.4: 0.4}[rate]
    assert wrong == pytest.approx(mean, abs=4 * np.sqrt(mean / 20_000))


def test_instance_noise_depends_on_the_pixels():
    labels, images = np.zeros(2000, int), np.repeat(pictures(2), 1000, axis=0)
    given = corrupt(labels, 10, InstanceNoise(rate=0.5), rng(), images)
    kinds = [np.bincount(part[part > 0], minlength=10) for part in (given[:1000], given[1000:])]
    assert all(
        counts.max() > 0.95 * counts.sum() for counts in kinds
    )  # equal images of a class err in one way
    assert len({int(given[k::1000][0]) for k in range(1000)}) > 1


def test_instance_noise_is_the_published_formula_sample_by_sample():
    labels, images = balanced(3, 60), pictures(60)
    given = corrupt(labels, 3, InstanceNoise(rate=0.5), rng(5), images)
    draws = rng(5)
    own = truncnorm.rvs(-5, 5, loc=0.5, scale=0.1, size=60, random_state=draws)
    uniform = draws.random(60)
    matrices = [draws.standard_normal((108, 3), dtype=np.float32) for _ in range(3)]
    for i, label in enumerate(labels):
        scores = images[i].reshape(-1).astype(float) @ matrices[label]
        scores[label] = -np.inf
        share = softmax(scores) * own[i]
        share[label] += 1 - own[i]
        assert given[i] == np.searchsorted(np.cumsum(share), uniform[i], side="right")


# --- the transition matrix ---


def test_the_transition_matrix_counts_what_became_of_each_class():
    true, given = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 0])
    assert transition(true, given, 3).tolist() == [[0.75, 0.25, 0], [0.5, 0.5, 0], [0, 0, 0]]


def test_the_transition_matrix_of_symmetric_noise_is_flat_off_its_diagonal():
    labels = balanced(10)
    matrix = transition(labels, corrupt(labels, 10, SymmetricNoise(rate=0.5), rng()), 10)
    assert np.diag(matrix) == pytest.approx(np.full(10, 0.55), abs=0.03)
    assert matrix[~np.eye(10, dtype=bool)] == pytest.approx(np.full(90, 0.05), abs=0.013)


# --- all ---

ALL = pytest.mark.parametrize(
    "noise",
    [
        SymmetricNoise(rate=0.4),
        SymmetricNoise(rate=0.4, include_true=False),
        PairNoise(rate=0.4),
        AsymmetricNoise(rate=0.4, map=[1, 2, 0, *range(3, 10)]),
        InstanceNoise(rate=0.4),
    ],
    ids=["inclusive", "exclusive", "pair", "asymmetric", "instance"],
)


@ALL
def test_the_labels_that_are_passed_in_stay_as_they_are(noise):
    labels = balanced(10, 1000)
    corrupt(labels, 10, noise, rng(), pictures(1000))
    assert np.array_equal(labels, balanced(10, 1000))


@ALL
def test_a_seed_decides_the_noise(noise):
    labels = balanced(10, 1000)
    first, again, other = (
        corrupt(labels, 10, noise, rng(seed), pictures(1000)) for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@ALL
def test_noisy_labels_are_classes_of_the_same_type(noise):
    labels = balanced(10, 1000)
    given = corrupt(labels, 10, noise, rng(), pictures(1000))
    assert given.dtype == labels.dtype
    assert set(given) == set(range(10))


@pytest.mark.parametrize("kind", [SymmetricNoise, PairNoise, AsymmetricNoise])
def test_noise_of_rate_zero_changes_nothing(kind):
    labels = balanced(10, 1000)
    assert np.array_equal(corrupt(labels, 10, kind(rate=0.0), rng()), labels)


def test_pair_and_asymmetric_noise_depend_on_the_class():
    assert class_dependent(PairNoise(rate=0.4))
    assert class_dependent(AsymmetricNoise(rate=0.4))
    assert not class_dependent(InstanceNoise(rate=0.4))
    assert not class_dependent(SymmetricNoise(rate=0.4))
    assert not class_dependent(NoNoise())
