"""Adjusted p values, by hand."""

import itertools

import numpy as np
import pytest

from analysis.stats.multiple_testing import holm


def closed_p(p: list[float]) -> list[float]:
    """Holm as closed testing: the worst Bonferroni p of all subsets that hold the hypothesis."""
    subsets = [
        s for size in range(1, len(p) + 1) for s in itertools.combinations(range(len(p)), size)
    ]
    return [
        max(min(1.0, len(s) * min(p[j] for j in s)) for s in subsets if i in s)
        for i in range(len(p))
    ]


# --- Holm ---


def test_holm_of_an_example_worked_by_hand():
    # In order: 4 · 0.005 = 0.02, 3 · 0.01 = 0.03, 2 · 0.03 = 0.06, and 1 · 0.04 is raised to 0.06.
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@pytest.mark.parametrize("m", range(1, 8))
def test_holm_is_closed_bonferroni_testing(m):
    rng = np.random.default_rng(m)
    for decimals in (17, 1):
        p = np.round(rng.random(m) ** 2, decimals)
        assert holm(p) == pytest.approx(closed_p(p.tolist()))


def test_holm_leaves_nan_alone_and_does_not_count_it():
    adjusted = holm(np.array([np.nan, 0.01, np.nan, 0.04]))
    assert adjusted == pytest.approx([np.nan, 0.02, np.nan, 0.04], nan_ok=True)


@pytest.mark.parametrize("p", [[], [np.nan], [np.nan, np.nan]])
def test_holm_of_nothing_known_is_nothing_known(p):
    adjusted = holm(np.array(p))
    assert len(adjusted) == len(p)
    assert np.isnan(adjusted).all()


def test_holm_keeps_the_order_never_lowers_a_p_and_never_exceeds_one():
    for m in (2, 5, 30):
        p = np.random.default_rng(m).random(m)
        adjusted = holm(np.append(p, 0.9))
        assert (np.diff(adjusted[:-1][np.argsort(p)]) >= 0).all()
        assert (adjusted[:-1] >= p).all()
        assert adjusted.max() <= 1
    assert holm(np.array([0.9, 0.8])).tolist() == [1, 1]


def test_holm_leaves_its_argument_alone():
    p = np.array([0.2, 0.1, np.nan])
    holm(p)
    assert p.tolist()[:2] == [0.2, 0.1]
