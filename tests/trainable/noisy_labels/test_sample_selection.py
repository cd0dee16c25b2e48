"""Clean probabilities to a division: threshold, class balance, agreement, by hand."""

import itertools

import numpy as np
import pytest

from trainable.noisy_labels.sample_selection import agreed, balanced, split

# --- split ---


def test_a_sample_is_labeled_only_strictly_above_the_threshold():
    labeled, used = split(np.array([0.1, 0.5, np.nextafter(0.5, 1), 0.9]), 0.5)
    assert labeled.tolist() == [False, False, True, True]
    assert used == 0.5


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.6, 0.8])
def test_a_threshold_that_divides_is_used_as_it_is(threshold):
    probability = np.linspace(0, 1, 101)
    labeled, used = split(probability, threshold)
    assert used == threshold
    assert np.array_equal(labeled, probability > threshold)


# As Contrast-to-Divide does: clipped to [smallest + 1e-5, largest − 1e-5].


def test_an_empty_labeled_side_moves_the_threshold_just_inside_the_range():
    labeled, used = split(np.array([0.1, 0.2, 0.3]), 0.5)
    assert labeled.tolist() == [False, False, True]
    assert used == pytest.approx(0.3 - 1e-5, abs=1e-12)


def test_an_empty_unlabeled_side_moves_the_threshold_just_inside_the_range():
    labeled, used = split(np.array([0.7, 0.8, 0.9]), 0.5)
    assert labeled.tolist() == [False, True, True]
    assert used == pytest.approx(0.7 + 1e-5, abs=1e-12)


def test_a_threshold_at_the_end_of_the_range_is_clipped_too():
    labeled, used = split(np.array([0.0, 5e-6, 0.7, 1.0]), 0.0)
    assert labeled.tolist() == [False, False, True, True]
    assert used == pytest.approx(1e-5, abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.999999])
def test_no_side_is_empty_whatever_the_probabilities(dtype, threshold):
    rng = np.random.default_rng(0)
    for _ in range(100):
        low, width = rng.random(), 10 ** rng.uniform(-4, 0)
        probability = np.clip(low + width * rng.random(20), 0, 1).astype(dtype)
        labeled, used = split(probability, threshold)
        assert 0 < labeled.sum() < 20
        assert probability[labeled].min() > used >= probability[~labeled].max()


@pytest.mark.parametrize("value", [0.0, 0.2, 1.0])
def test_equal_probabilities_label_every_sample(value):
    labeled, used = split(np.full(4, value), 0.5)
    assert labeled.all()
    assert used == 0.5


def test_raising_the_threshold_never_grows_the_labeled_set():
    rng = np.random.default_rng(0)
    for probability in (rng.random(200), rng.beta(0.2, 0.2, 200), 0.4 + 0.2 * rng.random(200)):
        sets = [split(probability, threshold)[0] for threshold in np.linspace(0, 0.999, 50)]
        assert all((later <= earlier).all() for earlier, later in itertools.pairwise(sets))
        assert sets[-1].sum() < sets[0].sum()


def test_an_inclusive_threshold_takes_those_that_are_on_it():
    probability = np.array([0.1, 0.5, np.nextafter(0.5, 0), 0.9])
    labeled, used = split(probability, 0.5, inclusive=True)
    assert labeled.tolist() == [False, True, False, True]
    assert used == 0.5


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.999])
def test_no_side_is_empty_with_an_inclusive_threshold_either(threshold):
    labeled, _ = split(np.array([0.3, 0.3, 0.7]), threshold, inclusive=True)
    assert labeled.tolist() == [False, False, True]


# --- class balance ---


def test_balanced_takes_as_many_of_each_class_the_likeliest_first():
    given = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    probability = np.array([0.9, 0.8, 0.7, 0.6, 0.55, 0.1, 0.3, 0.2])
    labeled = probability > 0.5  # four of class 0, one of class 1
    found = balanced(labeled, probability, np.zeros(8), given)
    assert found.tolist() == [True, True, False, False, True, False, True, False]  # 5 // 2 of each


def test_balanced_prefers_the_smaller_loss_at_equal_probabilities():
    losses = np.array([0.3, 0.1, 0.2, 0.5, 0.6])
    found = balanced(
        np.array([True, True, False, True, False]), np.ones(5), losses, np.array([0, 0, 0, 1, 1])
    )
    assert found.tolist() == [False, True, False, True, False]


def test_a_class_too_small_for_its_share_gives_all_it_has_and_a_labeled_sample_a_class_is_the_least():
    given = np.array([0, 0, 0, 0, 0, 1])
    probability = np.linspace(0.9, 0.4, 6)
    assert balanced(np.ones(6, bool), probability, np.zeros(6), given).tolist() == [True] * 3 + [
        False
    ] * 2 + [True]
    assert balanced(np.arange(6) < 1, probability, np.zeros(6), given).tolist() == [True] + [
        False
    ] * 4 + [True]


# --- agreement (docs/method.md) ---

#                 labeled, agree and right / labeled, agree, wrong / labeled, differ / not labeled, agree / not, p = 0
LABELED = np.array([True, True, True, False, False])
PROBABILITY = np.array([0.9, 0.9, 0.9, 0.2, 0.0])
PREDICTED = np.array([1, 2, 1, 1, 1]), np.array([1, 2, 0, 1, 1])
GIVEN = np.array([1, 1, 1, 1, 1])


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("intended", [True, True, False, False, False]),
        ("strict", [True, False, False, False, False]),
        ("published", [True, True, False, True, False]),  # the threshold is gone
    ],
)
def test_agreement_keeps_samples_for_which_both_networks_predict_one_class(rule, expected):
    assert agreed(LABELED, PROBABILITY, PREDICTED, GIVEN, rule).tolist() == expected
