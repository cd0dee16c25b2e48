"""Families: which comparisons are corrected together, and whether so many seeds can reach significance."""

from dataclasses import replace
from pathlib import Path

from analysis.results.study_plan import TrialRecord
from orchestrator.study.comparison_families import describe
from orchestrator.study.load import load_study

STUDIES = Path(__file__).parents[3] / "studies"


def records(arms: list[str], seeds: int, **changes: str | None) -> list[TrialRecord]:
    trial = TrialRecord("id", None, "", 0, "arms", "baseline", 3)
    return [replace(trial, arm=arm, seed=seed, **changes) for seed in range(seeds) for arm in arms]


def test_a_family_has_its_numbers_of_comparisons_and_seeds():
    lines = list(describe(records(list("abcdef"), 8)))
    assert lines == ["family arms: 6 comparisons × 8 seeds"]


def test_a_family_that_cannot_is_told_to_take_more_seeds():
    (line,) = describe(records(list("abcdef"), 5))
    assert line.startswith("family arms: 6 comparisons × 5 seeds: too few to show a difference")
    assert "at least 6 are needed" in line


def test_settings_and_families_do_not_mix():
    trials = [
        *records(["baseline"], 8, setting="x", family=None, baseline=None),
        *records(["a", "b"], 8, setting="x"),
        *records(["a"], 8, setting="y"),
        *records(["alpha=1"], 8, setting="x", family="method.alpha"),
    ]
    assert list(describe(trials)) == [
        "x: family arms: 2 comparisons × 8 seeds",
        "y: family arms: 1 comparison × 8 seeds",
        "x: family method.alpha: 1 comparison × 8 seeds",
    ]


def test_arms_without_a_baseline_are_no_comparisons_and_listed_once():
    trials = [*records(["a"], 8), *records(["n2", "n1"], 8, baseline=None)]
    assert list(describe(trials)) == [
        "family arms: 1 comparison × 8 seeds",
        "not paired with the baseline (other data or noise): n1, n2",
    ]


def test_a_study_of_its_baseline_alone_has_no_family():
    assert list(describe(records(["baseline"], 8, family=None, baseline=None))) == []


def test_the_digits_ablation_has_four_families():
    lines = list(describe(trial.record for trial in load_study(STUDIES / "ablation.yaml").trials))
    assert [line.split(":")[0] for line in lines] == [
        "family arms",
        "family method.warmup_epochs",
        "family method.lambda_u",
        "family method.p_threshold",
    ]
    assert all("too few" not in line for line in lines)
