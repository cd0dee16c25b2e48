"""The first lines of a report: the question, the data, the answer, and whether it was asked before."""

import pytest
from rich.console import Console

from analysis.report.opening import Opening, opening
from analysis.report.tables import note
from analysis.report.write import write_report
from analysis.results.read import read_results
from analysis.results.registration import read_registration
from analysis.stats.comparison import compare
from orchestrator.display.comparison_table import show

CONFIG = {
    "data": {"name": "digits"},
    "noise": {"name": "symmetric"},
    "method": {"name": "dividemix"},
}
NOISE = {seed: {"noise_rate": 0.45 + seed / 1000} for seed in range(8)}
UP = [71.0, 71.1, 71.2, 71.3, 71.4, 71.5, 71.6, 71.7]


@pytest.fixture
def first_lines(study):
    def _first_lines() -> Opening:
        results = study.read()
        return opening(
            results,
            compare(results),
            read_registration(study.root),
            caution=results.measure.caution,
        )

    return _first_lines


def test_a_study_with_a_primary_contrast(study, first_lines):
    study.primary = "up"
    study.arm("baseline", *[70.0] * 8, config=CONFIG, change=NOISE)
    study.arm("up", *UP).arm("same", *[70.0] * 8).arm("down", *[69 - up / 100 for up in UP])
    found = first_lines()
    assert found.asked == (
        "Is up better or worse than the baseline, and 2 other arms? "
        "(test accuracy, mean of the last epochs)"
    )
    assert found.data == [
        "digits, symmetric noise, 45.4 % of the training labels wrong: "
        "dividemix reached 70.00 ± 0.00 % on 8 seeds"
    ]
    first, others = found.answers
    assert first.startswith("up is better than the baseline (+1.35 [+")
    assert ", 8 seeds, p 0.0" in first
    assert others == "2 of 2 other questions decided: 1 worse, 1 equivalent"
    assert found.registered == ["registered before the first result; nothing has changed since"]


def test_unchecked_test_labels_are_called_so_everywhere(study, first_lines):
    study.primary = "up"
    unchecked = {seed: {**NOISE[seed], "test_labels": "unchecked"} for seed in NOISE}
    study.arm("baseline", *[70.0] * 8, config=CONFIG, change=unchecked).arm("up", *UP)
    found = first_lines()
    assert found.asked == (
        "Is up better or worse than the baseline? "
        "(agreement with unchecked test labels, mean of the last epochs)"
    )
    assert len(found.data) == 2
    assert "the sign of a difference can be wrong" in found.data[1]
    assert "agreement with unchecked test labels" in note(study.read())
    write_report(study.root)
    page = (study.root / "report/index.html").read_text()
    assert "points of agreement with unchecked test labels" in page
    assert "clean test set" not in page
    console = Console(record=True, width=200)
    show(read_results(study.root), console)
    printed = console.export_text()
    assert "agreement: the ensemble's agreement with unchecked test labels" in printed
    assert "note: the labels of the test set are unchecked" in printed


def test_without_a_primary_contrast_each_verdict_is_counted(study, first_lines):
    study.arm("baseline", *[70.0] * 8).arm("up", *UP).arm("todo", *["missing"] * 8)
    found = first_lines()
    assert found.asked.startswith("Which of 2 arms are better or worse than the baseline?")
    assert found.answers == ["1 of 2 questions decided: 1 better, 1 without a result"]


def test_each_setting_has_its_data_its_noise_and_its_answer(study, first_lines):
    study.primary = "up"
    own = {"data": {"name": "image_folder", "path": "/far/birds"}, "noise": {"name": "none"}}
    for setting in ("own", "hard"):
        study.arm("baseline", *[70.0] * 8, setting=setting, config=own)
        study.arm("up", *UP, setting=setting)
    study.arm("baseline", "missing", setting="later").arm("up", "missing", setting="later")
    found = first_lines()
    assert found.data[0] == (
        "own: image_folder birds, labels as they are, unknown how many are wrong: "
        "the baseline reached 70.00 ± 0.00 % on 8 seeds"
    )
    assert found.data[2] == "later: the baseline has no result yet"
    assert [text.partition(" (")[0] for text in found.answers] == [
        "own: up is better than the baseline",
        "hard: up is better than the baseline",
        "later: up is not yet decided",
    ]


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (2, "birds (2 unreadable images skipped), labels"),
        (1, "birds (1 unreadable image skipped),"),
    ],
)
def test_skipped_images_are_counted_in_the_line_of_the_data(study, first_lines, count, said):
    own = {"data": {"name": "image_folder", "path": "/far/birds"}, "noise": {"name": "none"}}
    skipped = {0: {"skipped_images": count}}
    study.arm("baseline", 70.0, 70.0, config=own, change=skipped).arm("up", 71.0, 71.0)
    assert first_lines().data[0].startswith(f"image_folder {said}")
    write_report(study.root)
    for file in ("index.html", "report.md"):
        assert said in (study.root / "report" / file).read_text()


def test_failed_runs_are_in_the_count(study, first_lines):
    failed = {seed: {"collapsed": True} for seed in range(16)}
    study.primary = "up"
    study.arm("baseline", *[70.0] * 16, config=CONFIG).arm("up", *[70.0] * 16, change=failed)
    found = first_lines()
    assert found.data[0].endswith("on 16 seeds")
    assert found.answers[0].startswith("up is worse than the baseline, because of failures (")
    assert "; it failed alone on 16 seeds, the baseline on 0" in found.answers[0]


def test_a_question_that_came_after_the_results_is_told(study, first_lines):
    study.arm("baseline", *[70.0] * 8).arm("up", *UP)
    study.registered = False
    assert first_lines().registered == ["what is asked was not registered before the results"]
    study.register(ended=16)
    assert first_lines().registered[0].endswith("registered only after 16 trials had ended")
    study.margin = 2.0
    study.register(ended=16)
    assert first_lines().registered[1].endswith("the margin: 0.5 → 2 points")


def test_the_report_begins_with_them(study, page, monkeypatch):
    monkeypatch.setattr("analysis.report.write._pictures", lambda *args: iter(()))
    study.primary = "up"
    study.arm("baseline", *[70.0] * 8).arm("up", *UP)
    root = study.write()
    write_report(root)
    text = "\n".join(page(root / "report" / "index.html").visible)
    places = [text.index(part) for part in ("Is up better or worse", "Results", "Family arms")]
    assert places == sorted(places)
    markdown = (root / "report" / "report.md").read_text(encoding="utf-8")
    assert markdown.index("**Answer:** up is better") < markdown.index("## Family arms")
