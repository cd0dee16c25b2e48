"""Labels by several annotators: which one is taken, how often they agree, simulated ones."""

import numpy as np
import pytest

from trainable.data.ratings import NONE, Ratings, simulated
from trainable.errors import DataError


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def ratings(*rows: list[int]) -> Ratings:
    labels = np.array(rows)
    return Ratings(labels, tuple("abcdef"[: labels.shape[1]]))


# --- the choice ---


def test_the_majority_counts_labels_that_are_there():
    found = ratings([2, 0, 2], [1, 1, 1], [NONE, NONE, 0], [NONE, 3, 3], [0, 3, 3])
    assert found.chosen("majority", rng()).tolist() == [2, 1, 0, 3, 3]


def test_of_equally_frequent_labels_each_is_as_likely():
    two_and_two = ratings(*[[0, 1, 0, 1, 2]] * 4000)
    counts = np.bincount(two_and_two.chosen("majority", rng()), minlength=3)
    assert counts[2] == 0
    assert counts[0] == pytest.approx(2000, abs=4 * np.sqrt(1000))
    all_differ = np.bincount(ratings(*[[0, 1, 2]] * 3000).chosen("majority", rng()), minlength=3)
    assert all_differ.tolist() == pytest.approx([1000] * 3, abs=4 * np.sqrt(3000 * 2 / 9))


def test_the_first_is_the_first_annotator_who_has_labeled_the_image():
    found = ratings([2, 0, 1], [NONE, 0, 1], [NONE, NONE, 1])
    assert found.chosen("first", rng()).tolist() == [2, 0, 1]


def test_a_random_label_is_that_of_an_annotator_who_has_labeled_the_image():
    found = ratings(*[[0, NONE, 2, 0]] * 3000).chosen("random", rng())
    assert np.bincount(found, minlength=3).tolist() == pytest.approx([2000, 0, 1000], abs=110)


@pytest.mark.parametrize("choice", ["majority", "random"])
def test_a_seed_decides_what_is_random(choice):
    rows = ratings(*[[0, 1, 2]] * 200)
    first, again, other = (rows.chosen(choice, rng(seed)).tolist() for seed in (0, 0, 1))
    assert first == again != other


# --- statistics ---


def test_agreement_is_the_share_of_equal_pairs():
    # Pairs: three of which one is equal; three equal ones; one unequal; none.
    found = ratings([0, 0, 1], [2, 2, 2], [NONE, 0, 1], [NONE, NONE, 1])
    assert found.agreement == 4 / 7
    assert ratings([0], [1]).agreement is None
    assert ratings([0, NONE], [NONE, 1]).agreement is None


def test_each_annotators_share_of_wrong_labels_is_of_the_images_that_they_have_labeled():
    found = ratings([0, 1, NONE], [2, 2, NONE], [NONE, 0, NONE], [0, 1, NONE])
    assert found.wrong(np.array([0, 2, 1, 1])) == {"a": 1 / 3, "b": 0.5, "c": None}


# --- simulated annotators ---


def test_simulated_annotators_have_their_skills_and_err_into_every_other_class():
    true = np.arange(40_000) % 5
    found = simulated(true, 5, [1.0, 0.7, 0.0], rng())
    assert found.annotators == ("1", "2", "3")
    wrong = found.wrong(true)
    assert (wrong["1"], wrong["3"]) == (0, 1)
    assert wrong["2"] == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 40_000))
    errors = np.bincount((found.labels[:, 2] - true) % 5, minlength=5)
    assert errors.tolist() == pytest.approx([0, *[10_000] * 4], abs=4 * np.sqrt(7500))


def test_simulated_annotators_are_independent_of_each_other():
    true = np.arange(40_000) % 5
    found = simulated(true, 5, [0.7, 0.6], rng())
    # Both are right, or both err into the same of four classes.
    assert found.agreement == pytest.approx(0.7 * 0.6 + 0.3 * 0.4 / 4, abs=0.01)


def test_simulated_annotators_need_the_true_labels():
    with pytest.raises(DataError, match=r"^noise\.skills: .*noise\.path"):
        simulated(np.array([0, -1]), 2, [0.5], rng())
