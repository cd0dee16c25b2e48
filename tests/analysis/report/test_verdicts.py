"""Verdicts as sentences."""

import pytest

from analysis.report import verdicts
from analysis.stats import comparison

NAN = float("nan")


def row(**change):
    known = {
        "setting": "",
        "arm": "variant",
        "difference": -2.0,
        "low": -2.6,
        "high": -1.4,
        "pairs": 8,
    }
    known |= {
        "verdict": "matters",
        "p_holm": 0.0078,
        "seeds_to_detect": 12.0,
        "seeds_for_equivalence": float("inf"),
    }
    return known | change


def table(study):
    return comparison.compare(study.read())


# --- one arm ---


def test_an_arm_that_matters():
    assert (
        verdicts.sentence(row(), 0.5)
        == "variant: −2.00 points [−2.60, −1.40], 8 seeds: significant (Holm p 0.0078)"
    )


def test_an_arm_that_is_equivalent():
    found = verdicts.sentence(
        row(difference=0.1, low=-0.1, high=0.3, verdict="equivalent", p_holm=0.5), 0.75
    )
    assert found == "variant: +0.10 points [−0.10, +0.30], 8 seeds: equivalent within ±0.75 points"


def test_an_undecided_arm_whose_difference_more_seeds_would_detect():
    found = verdicts.sentence(row(verdict="undecided", low=-4.1, high=0.1), 0.5)
    assert "8 seeds: inconclusive; about 12 seeds would detect" in found


def test_an_undecided_arm_that_more_seeds_would_show_to_be_equivalent():
    found = verdicts.sentence(
        row(verdict="undecided", difference=0.1, seeds_for_equivalence=9.0), 0.5
    )
    assert "inconclusive; about 9 seeds" in found
    assert found.endswith("equivalence within ±0.5 points")


def test_an_undecided_arm_that_no_number_of_seeds_would_decide_promises_nothing():
    far = {"seeds_to_detect": float("inf"), "seeds_for_equivalence": float("inf")}
    found = verdicts.sentence(row(verdict="undecided", difference=3.0, **far), 0.5)
    assert "inconclusive" in found
    assert "equivalence within" not in found
    assert "about many" not in found


def test_one_seed_has_no_interval_and_no_spread(study):
    (found,) = verdicts.summary(table(study.arm("baseline", 70.0).arm("variant", 71.5)), 0.5)[
        "undecided"
    ]
    assert found == "variant: +1.50 points, 1 seed: inconclusive: one seed has no spread"


def test_several_seeds_with_the_same_difference_are_not_called_one(study):
    study.arm("baseline", 70.0, 71.0).arm("variant", 72.0, 73.0)
    (found,) = verdicts.summary(table(study), 0.5)["undecided"]
    assert "2 seeds: inconclusive" in found
    assert "one seed" not in found


def test_a_setting_stands_before_its_arm():
    assert verdicts.sentence(row(setting="sym80"), 0.5).startswith("sym80: variant: −2.00 points [")


# --- all arms ---


def test_sentences_stand_by_verdict_and_the_largest_difference_first(study):
    study.arm("baseline", *[70.0] * 8)
    study.arm("a", *[71.0 + k / 100 for k in range(8)]).arm(
        "b", *[65.0 + k / 100 for k in range(8)]
    )
    study.arm("same", *[70.0] * 8).arm("noisy", 60.0, 80.0, 61.0, 79.0, 70.0, 70.0, 65.0, 76.0)
    study.arm("other", *[10.0] * 8, paired=False)
    found = verdicts.summary(table(study), 0.5)
    assert list(found) == ["matters", "equivalent", "undecided"]
    assert [sentence.split(":")[0] for sentence in found["matters"]] == ["b", "a"]
    assert [sentence.split(":")[0] for sentence in found["equivalent"]] == ["same"]
    assert [sentence.split(":")[0] for sentence in found["undecided"]] == ["noisy"]


def test_without_a_comparison_there_is_no_sentence(study):
    assert verdicts.summary(table(study.arm("baseline", 70.0, 71.0)), 0.5) == {
        v: [] for v in verdicts.VERDICTS
    }


# --- what the seeds can reach ---


def test_reach_says_from_how_many_seeds_on_an_arm_can_matter(study):
    study.arm("baseline", *[70.0] * 5)
    for name in "abcdef":
        study.arm(name, *[71.0] * 5)
    (found,) = verdicts.reach(table(study))  # 6 · 2/2⁵ = 0.375; 6 · 2/2⁸ = 0.047
    assert found.startswith("family arms: 5 seeds are too few for 6 comparisons")
    assert "Holm p 0.3750" in found
    assert "at least 8" in found


def test_reach_says_no_more_where_the_seeds_do(study):
    study.arm("baseline", *[70.0] * 6).arm("a", *[71.0] * 6)
    (found,) = verdicts.reach(table(study))
    assert found.startswith("family arms: 6 seeds are enough for 1 comparison (")
    assert "Holm p 0.0312" in found


def test_reach_of_one_seed_speaks_of_one_seed(study):
    (found,) = verdicts.reach(table(study.arm("baseline", 70.0).arm("a", 71.0)))
    assert found.startswith("family arms: 1 seed is too few for 1 comparison (")
    assert "Holm p 1.0000" in found


def test_reach_has_a_sentence_for_each_setting_and_family_that_is_compared(study):
    for setting in ("easy", "hard"):
        study.arm("baseline", 70.0, 71.0, setting=setting).arm("a", 71.0, 71.0, setting=setting)
    study.arm("x=1", 71.0, 71.0, setting="hard", family="method.x")
    study.arm("y=1", "missing", "missing", setting="hard", family="method.y")
    found = [sentence.rpartition(": ")[0] for sentence in verdicts.reach(table(study))]
    assert found == ["easy: family arms", "hard: family arms", "hard: family method.x"]


@pytest.mark.parametrize("verdict", verdicts.VERDICTS)
def test_every_verdict_has_a_meaning(verdict):
    assert verdicts.meaning(row(verdict=verdict), 0.5)
