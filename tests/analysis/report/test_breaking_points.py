"""The table "Breaks at": from which share of wrong labels on an arm is worse, or loses a class."""

import dataclasses

import pytest

from analysis.report.breaking_points import REFERENCE, against_reference, breaking_points
from analysis.report.write import write_report
from analysis.results.study_plan import SequentialDesign
from analysis.stats.comparison import compare

HIGH = (90.0, 91.0, 90.5, 91.5, 90.2, 91.2, 90.7, 91.7)
SEEDS = range(len(HIGH))


def noise(wrong: float, lost: int = 0, **fields):
    """Configuration and summaries of an arm: share of wrong labels, seeds that lose a class."""
    config = {"noise": {"name": "symmetric", "rate": wrong, **fields}, "data": {"name": "digits"}}
    change = {
        seed: {"noise_rate": wrong, "lost_classes": [3] if seed < lost else []} for seed in SEEDS
    }
    return {"config": config, "change": change}


def ends(better: float) -> list[float]:
    """Accuracies that are that many points better than the reference's, give or take 0.1."""
    return [end + better + (-1) ** seed / 10 for seed, end in enumerate(HIGH)]


def setting(study, place: str, wrong: float, baseline=0.0, elr=0.0, lost=0, **fields):
    """Add a setting: how many points the baseline and `elr` are better than the reference."""
    shared = {"setting": place, **noise(wrong, **fields)}
    study.arm("baseline", *ends(baseline), **shared)
    study.arm(REFERENCE, *HIGH, **shared)
    lossy = {"setting": place, **noise(wrong, lost, **fields)}
    study.arm("elr", *ends(elr), **lossy)


def lines(study) -> dict[tuple[str, str], tuple[str, str, str]]:
    table = breaking_points(study.read())
    return {(arm, kind): tuple(cells) for arm, kind, *cells in table.to_numpy().tolist()}


def test_an_arm_breaks_at_the_lowest_share_at_which_it_is_worse(study):
    setting(study, "sym60", 0.6, baseline=-3.0, elr=-2.0)
    setting(study, "sym20", 0.2, baseline=2.0, elr=2.0)
    setting(study, "sym40", 0.4, baseline=2.0, elr=-2.0)
    found = lines(study)
    assert found["baseline", "symmetric"][:2] == ("20, 40, 60", "60")
    assert found["baseline", "symmetric"][2].startswith("worse, −3.00 [")
    assert found["elr", "symmetric"][:2] == ("20, 40, 60", "40")
    assert found[REFERENCE, "symmetric"] == ("20, 40, 60", "not shown", "")


def test_the_verdict_is_that_of_the_comparison_with_the_reference(study):
    setting(study, "sym20", 0.2, baseline=-3.0, elr=0.0)
    rows = compare(against_reference(study.read())).set_index("arm")
    assert rows.loc["former baseline", "verdict"] == "worse"
    assert rows.loc["former baseline", "difference"] == pytest.approx(-3, abs=0.1)
    # The arm is better than the study's baseline, and not than the reference.
    assert rows.loc["elr", "verdict"] == "equivalent"
    assert compare(study.read()).set_index("arm").loc["elr", "verdict"] == "better"


@pytest.mark.parametrize(("lost", "breaks"), [(2, "not shown"), (3, "40")])
def test_an_arm_that_loses_a_class_in_a_third_of_the_seeds_breaks(study, lost, breaks):
    setting(study, "sym20", 0.2, elr=2.0)
    setting(study, "sym40", 0.4, elr=2.0, lost=lost)
    assert lines(study)["elr", "symmetric"][1] == breaks
    if lost == 3:
        assert lines(study)["elr", "symmetric"][2] == "lost a class on 3 of 8 seeds"


def test_shares_are_measured_and_kinds_of_noise_are_kept_apart(study):
    for place, wrong, fields in (
        ("a", 0.18, {"rate": 0.2, "include_true": True}),
        ("b", 0.36, {"rate": 0.4, "include_true": True}),
        ("c", 0.2, {"rate": 0.2, "include_true": False}),
        ("d", 0.4, {"rate": 0.4, "include_true": False}),
        ("e", 0.1, {"name": "annotators", "skills": [0.9], "rate": None}),
        ("f", 0.3, {"name": "annotators", "skills": [0.7], "rate": None}),
        ("g", 0.3, {"name": "pair"}),  # one share alone is no row
    ):
        setting(study, place, wrong, **fields)
    found = {kind: cells[0] for (arm, kind), cells in lines(study).items() if arm == "elr"}
    assert found == {
        "symmetric (include_true: true)": "18, 36",
        "symmetric (include_true: false)": "20, 40",
        "annotators": "10, 30",
    }


@pytest.mark.parametrize(
    ("first", "second", "labels"),
    [
        ({"name": "x"}, {"name": "y"}, {"x", "y"}),
        ({"name": "npz", "path": "x.npz"}, {"name": "npz", "path": "y.npz"}, {"x.npz", "y.npz"}),
        (
            {"name": "x", "imbalance": 1},
            {"name": "x", "imbalance": 9},
            {"imbalance 1", "imbalance 9"},
        ),
    ],
    ids=["name", "path", "imbalance"],
)
def test_data_sets_are_kept_apart(study, first, second, labels):
    for name, wrong, data in (
        ("a", 0.2, first),
        ("b", 0.4, first),
        ("c", 0.2, second),
        ("d", 0.4, second),
    ):
        given = noise(wrong)
        given["config"]["data"] = data
        for arm in ("baseline", REFERENCE):
            study.arm(arm, *HIGH, setting=name, **given)
    assert {kind for _, kind in lines(study)} == {f"symmetric, {label}" for label in labels}


def test_settings_without_results_are_not_tested(study):
    setting(study, "sym20", 0.2)
    setting(study, "sym40", 0.4, elr=-3.0)
    for arm in ("baseline", REFERENCE, "elr"):
        study.arm(arm, *["missing"] * 8, setting="sym60")
    assert lines(study)["elr", "symmetric"][:2] == ("20, 40", "40")


def test_there_is_no_table_without_a_reference_or_with_seeds_that_are_added(study):
    setting(study, "sym20", 0.2)
    setting(study, "sym40", 0.4)
    results = study.read()
    assert len(breaking_points(results)) == 3
    design = SequentialDesign(at_least=6, at_most=8)
    assert breaking_points(dataclasses.replace(results, design=design)).empty
    without = results.trials[results.trials["arm"] != REFERENCE]
    assert breaking_points(dataclasses.replace(results, trials=without)).empty


def test_the_report_shows_the_table(study, page):
    setting(study, "sym20", 0.2)
    setting(study, "sym40", 0.4, baseline=-3.0)
    [written] = [path for path in write_report(study.write()) if path.name == "index.html"]
    assert "Breaks at" in page(written).headings
    markdown = (study.root / "report" / "report.md").read_text(encoding="utf-8")
    assert "| baseline | symmetric | 20, 40 | 40 | worse, −3.00 [" in markdown
