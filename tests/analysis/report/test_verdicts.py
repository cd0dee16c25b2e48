"""Verdicts as sentences."""

import math

import pytest

from analysis.report import verdicts
from analysis.results.study_plan import SequentialDesign
from analysis.stats import comparison

NAN = float("nan")


def row(**change):
    known = {
        "setting": "",
        "arm": "variant",
        "difference": -2.0,
        "low": -2.6,
        "high": -1.4,
        "seeds": 8,
        "pairs": 8,
        "fails_more": 0,
        "fails_less": 0,
        "rate_low": -0.3,
        "rate_high": 0.3,
        "verdict": "worse",
        "p_adjusted": 0.0078,
        "more_low": 9.0,
        "more_high": NAN,
    }
    return known | change


def table(study):
    return comparison.compare(study.read())


# --- one arm ---


def test_an_arm_that_is_worse():
    assert (
        verdicts.sentence(row(), 0.5)
        == "variant: −2.00 points [−2.60, −1.40], 8 seeds: worse (p 0.0078)"
    )


def test_an_arm_that_is_equivalent_is_so_in_the_center_and_failures_are_told():
    found = verdicts.sentence(
        row(difference=0.1, low=-0.1, high=0.3, verdict="equivalent", p_adjusted=0.5), 0.75
    )
    assert found == (
        "variant: +0.10 points [−0.10, +0.30], 8 seeds: equivalent within ±0.75 points in the "
        "center; failed alone on 0 seeds, the baseline on 0 (difference of the rates in "
        "[−30 %, +30 %])"
    )


@pytest.mark.parametrize("verdict", ["worse", "inconclusive", "better by failures"])
def test_failures_are_told_with_every_verdict(verdict):
    found = verdicts.sentence(row(verdict=verdict, fails_less=1), 0.5)
    assert "; failed alone on 0 seeds, the baseline on 1 (" in found


def test_an_inconclusive_arm_has_a_range_of_seeds():
    undecided = {"verdict": "inconclusive", "low": -4.1, "high": 0.1}
    found = verdicts.sentence(row(**undecided, more_high=math.inf), 0.5)
    assert found.endswith("8 seeds: inconclusive; 9 to more than 64 seeds would decide")
    found = verdicts.sentence(row(**undecided, more_low=100.0, more_high=math.inf), 0.5)
    assert found.endswith("inconclusive; more than 64 seeds would decide")


def test_an_arm_without_any_pair_says_so():
    found = verdicts.sentence(
        row(difference=NAN, low=-math.inf, high=math.inf, verdict="inconclusive", more_low=NAN), 1
    )
    assert found == "variant: no seed without a failure [−∞, +∞], 8 seeds: inconclusive"


def test_one_seed_has_no_interval_and_no_promise(study):
    (found,) = verdicts.summary(table(study.arm("baseline", 70.0).arm("variant", 71.5)), 0.5)[
        "inconclusive"
    ]
    assert found == "variant: +1.50 points, 1 seed: inconclusive"


def test_a_setting_stands_before_its_arm():
    assert verdicts.sentence(row(setting="sym80"), 0.5).startswith("sym80: variant: −2.00 points [")


# --- all arms ---


def test_sentences_stand_by_verdict_and_the_largest_difference_first(study):
    study.arm("baseline", *[70.0] * 8)
    study.arm("a", *[71.0 + k / 100 for k in range(8)]).arm(
        "b", *[65.0 + k / 100 for k in range(8)]
    )
    study.arm("c", *[60.0 + k / 100 for k in range(8)])
    study.arm("same", *[70.0] * 8).arm("noisy", 60.0, 80.0, 61.0, 79.0, 70.0, 70.0, 65.0, 76.0)
    study.arm("other", *[10.0] * 8, paired=False)
    found = verdicts.summary(table(study), 0.5)
    assert list(found) == list(verdicts.VERDICTS)
    assert [sentence.split(":")[0] for sentence in found["better"]] == ["a"]
    assert [sentence.split(":")[0] for sentence in found["worse"]] == ["c", "b"]
    assert [sentence.split(":")[0] for sentence in found["equivalent"]] == ["same"]
    assert [sentence.split(":")[0] for sentence in found["inconclusive"]] == ["noisy"]


def test_without_a_comparison_there_is_no_sentence(study):
    assert verdicts.summary(table(study.arm("baseline", 70.0, 71.0)), 0.5) == {
        v: [] for v in verdicts.VERDICTS
    }


# --- what the seeds can show ---


def test_reach_says_from_how_many_seeds_on_an_arm_can_be_better(study):
    study.arm("baseline", *[70.0] * 5)
    for name in "abcdef":
        study.arm(name, *[71.0] * 5)
    (found,) = verdicts.reach(table(study), None)
    assert found.startswith("family arms: 0 of 6 questions decided; 5 seeds cannot show")
    assert found.endswith("at least 6 are needed")


def test_reach_says_no_more_where_the_seeds_do(study):
    study.arm("baseline", *[70.0] * 6).arm("a", *[71.0 + k / 10 for k in range(6)])
    (found,) = verdicts.reach(table(study), None)
    assert found == "family arms: 1 of 1 questions decided"


def test_reach_of_a_study_that_adds_seeds_says_where_it_looks(study):
    study.arm("baseline", 70.0, 71.0).arm("a", 71.0, 71.0)
    (found,) = verdicts.reach(table(study), SequentialDesign(6, 24))
    assert found == ("family arms: 0 of 1 questions decided, looked at from 6 to at most 24 seeds")


def test_reach_has_a_sentence_for_each_setting_and_family_that_is_compared(study):
    for setting in ("easy", "hard"):
        study.arm("baseline", 70.0, 71.0, setting=setting).arm("a", 71.0, 71.0, setting=setting)
    study.arm("x=1", 71.0, 71.0, setting="hard", family="method.x")
    study.arm("y=1", "missing", "missing", setting="hard", family="method.y")
    found = [sentence.partition(": 0 of")[0] for sentence in verdicts.reach(table(study), None)]
    assert found == ["easy: family arms", "hard: family arms", "hard: family method.x"]


@pytest.mark.parametrize("verdict", verdicts.VERDICTS)
def test_every_verdict_has_a_meaning(verdict):
    assert verdicts.meaning(row(verdict=verdict), 0.5)
