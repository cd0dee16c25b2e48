"""What is said of arms whose test labels are unchecked: nothing, or by checked labels, or by declared noise."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from analysis.audit.decisions import Decision, append
from analysis.audit.drawn_test_images import (
    DECISIONS,
    DRAW,
    Draw,
    folder_of,
    order_of,
    write_draw,
)
from analysis.report.answers import answers
from analysis.report.checks import checks_needed
from analysis.report.evidence import CHECKED, DECLARED
from analysis.report.gate import answer
from analysis.report.write import write_report
from analysis.results.study_plan import Joined, SequentialDesign
from orchestrator.display.comparison_table import show
from tests.analysis.conftest import Page

CLASSES = 10
IMAGES = 1000
SEEDS = 6
EPOCHS = 10
TRUE = np.arange(IMAGES) % CLASSES
BY_RULE = np.arange(IMAGES) // CLASSES % 10 < 3
"""Images that look like the next class: 30 % of each class."""
RULE = np.where(BY_RULE, (TRUE + 1) % CLASSES, TRUE)
"""Labels that are wrong by a rule which networks can learn."""


def predictions(right: float, misled: float, seed: int) -> np.ndarray:
    """Classes (epochs, images) of a network.

    It is right on `right` of the images, and takes `misled` of those of the rule for the next class.
    """
    rng = np.random.default_rng(seed)
    other = (TRUE + rng.integers(2, CLASSES, IMAGES)) % CLASSES
    classes = np.where(rng.random(IMAGES) < right, TRUE, other)
    learned = BY_RULE & (rng.random(IMAGES) < misled)
    classes = np.where(learned, (TRUE + 1) % CLASSES, classes)
    return np.tile(classes, (EPOCHS, 1))


ARMS = {
    "baseline": [predictions(0.85, 0.2, seed) for seed in range(SEEDS)],
    "cross_entropy": [predictions(0.93, 0.7, 100 + seed) for seed in range(SEEDS)],
}
"""Plain training is better where the labels are right, and learns the rule of the wrong ones."""


def accuracy(arm: str, labels: np.ndarray) -> list[float]:
    return [100 * float((classes == labels).mean()) for classes in ARMS[arm]]


TRUTH = float(np.mean(accuracy("cross_entropy", TRUE)) - np.mean(accuracy("baseline", TRUE)))


def with_arms(
    study, labels: np.ndarray = RULE, setting: str | None = None, data_hash: str = "digits"
):
    """Two arms whose test labels are unchecked."""
    fields = {"test_labels": "unchecked", "data_hash": data_hash}
    change = dict.fromkeys(range(SEEDS), fields)
    for arm, classes in ARMS.items():
        tables = [
            {
                "test_label": labels,
                "test_classes": each.astype(np.int16),
                "given": np.arange(CLASSES),
            }
            for each in classes
        ]
        study.arm(arm, *accuracy(arm, labels), setting=setting, change=change, samples=tables)
    study.primary = "cross_entropy"
    return study


def check(root: Path, count: int, sample: int = 200, labels: np.ndarray = RULE):
    """Decide rightly about the first `count` images of the draw."""
    rows = order_of("digits", IMAGES)
    names = [str(row) for row in rows]
    classes = [f"class {label}" for label in range(CLASSES)]
    draw = Draw("digits", classes, rows.tolist(), names, labels[rows].tolist(), sample)
    folder = folder_of(root, "digits")
    write_draw(draw, folder / DRAW)
    said = [
        Decision("now", "Ann", "digits", str(row), "label", classes[TRUE[row]])
        for row in rows[:count]
    ]
    append(folder / DECISIONS, *said)
    return folder


def found(study, arm: str = "cross_entropy"):
    return answers(study.read()).table.set_index("arm").loc[arm]


# --- labels that are wrong by a rule ---


def test_the_naive_difference_is_significant_in_the_wrong_direction():
    naive = np.array(accuracy("cross_entropy", RULE)) - accuracy("baseline", RULE)
    assert TRUTH < -3
    assert naive.min() > 3, "on every seed"


def test_without_checks_the_verdict_is_withheld_everywhere(study):
    with_arms(study)
    row = found(study)
    assert row["low"] > 0
    assert row["p_adjusted"] < 0.04, "as if the labels were right, it would be better"
    assert row["verdict"] == "withheld"
    assert row["judged_by"] == ""
    # A label moves a difference by 2 / N at most, so that half of it is the least share.
    assert row["difference"] / 2 <= row["wrong_for_zero"] < 100
    assert 0 < row["wrong_for_interval"] <= row["wrong_for_zero"]
    said = answer(study.read(), "cross_entropy")
    assert (said["verdict"], said["final"], said["accuracy"]) == ("withheld", False, None)
    assert said["measure"] == "agreement with unchecked test labels"
    assert "points of agreement" in said["text"]
    assert "could make it 0" in said["text"]
    assert "--split test" in said["why"][-1]
    assert json.loads(json.dumps(said)) == said


def test_no_page_table_or_line_calls_agreement_accuracy(study):
    write_report(with_arms(study).write())
    page = Page((study.root / "report/index.html").read_text())
    text = " ".join(page.visible)
    assert "cross_entropy is not judged, because the test labels are unchecked" in text
    assert "0 of 1 questions decided" in text
    assert "last-10 agreement with unchecked labels %" in text
    assert "test accuracy" not in text.lower()
    for word in ("better", "worse", "equivalent"):
        assert f"cross_entropy is {word}" not in text
    arms = (study.root / "report/tables/arms.csv").read_text()
    assert "withheld" in arms
    assert "agreement with unchecked test labels" in arms
    console = Console(record=True, width=200)
    show(study.read(), console)
    printed = console.export_text()
    assert "withheld: cross_entropy" in printed
    assert "agreement %" in printed
    assert "better" not in printed


def test_with_200_checked_labels_the_interval_covers_the_truth(study):
    check(with_arms(study).write(), 200)
    row = found(study)
    assert row["judged_by"] == CHECKED
    assert row["true_low"] < TRUTH < row["true_high"]
    assert row["difference"] > 3, "the naive figure stays"
    assert row["verdict"] == "worse"
    of_baseline = found(study, "baseline")
    truth = np.mean(accuracy("baseline", TRUE))
    assert of_baseline["true_accuracy_low"] < truth < of_baseline["true_accuracy_high"]
    said = answer(study.read(), "cross_entropy")
    assert (said["verdict"], said["final"]) == ("worse", True)
    assert said["accuracy"]["high"] == pytest.approx(row["true_high"])
    assert said["text"].endswith("6 seeds: worse by checked labels")
    write_report(study.root)
    page = Page((study.root / "report/index.html").read_text())
    assert "With 200 checked test labels" in page.headings
    text = " ".join(page.visible)
    assert "cross_entropy is worse than the baseline" in text
    assert "200 of 200 drawn test images are checked" in text
    console = Console(record=True, width=200)
    show(study.read(), console)
    assert "points of accuracy" in console.export_text()


def test_the_interval_covers_the_truth_for_most_draws_of_the_checked_images(study, monkeypatch):
    with_arms(study).write()
    held = 0
    for draw in range(20):
        monkeypatch.setattr(
            "analysis.audit.drawn_test_images.order_of",
            lambda data, images, draw=draw: np.random.default_rng(draw).permutation(images),
        )
        monkeypatch.setitem(
            globals(),
            "order_of",
            lambda data, images, draw=draw: np.random.default_rng(draw).permutation(images),
        )
        folder = check(study.root, 200)
        row = found(study)
        assert row["verdict"] != "better"
        held += row["true_low"] < TRUTH < row["true_high"]
        (folder / DECISIONS).unlink()
    assert held >= 18


# --- which checks count ---


def test_verdicts_wait_until_the_whole_sample_is_checked(study):
    check(with_arms(study).write(), 150)
    row = found(study)
    assert row["verdict"] == "withheld"
    assert row["true_low"] < TRUTH < row["true_high"]
    notes = answers(study.read()).notes
    assert "150 of 200 drawn test images are checked" in notes[0]
    assert "verdicts follow once all drawn images are checked" in notes[1]


def test_once_all_test_labels_are_checked_nothing_is_said_of_unchecked_ones(study):
    check(with_arms(study).write(), 199)
    assert "can be learned" in str(answers(study.read()).caution), "200 drawn images of 1000"
    folder = check(study.write(), IMAGES, IMAGES)
    said = answers(study.read())
    assert said.caution is not None
    assert said.caution.startswith("all test labels are checked")
    row = said.table.set_index("arm").loc["cross_entropy"]
    assert row["true_difference"] == pytest.approx(TRUTH)
    text = (write_report(study.root)[1]).read_text()
    assert "all test labels are checked" in text
    assert "can be learned" not in text
    assert list(checks_needed(study.read())) == []
    assert folder.exists()


def test_images_behind_an_undecided_one_are_not_used(study):
    folder = check(with_arms(study).write(), 200)
    fifth = str(order_of("digits", IMAGES)[4])
    append(folder / DECISIONS, Decision("now", "Ann", "digits", fifth, "undo"))
    note = answers(study.read()).notes[0]
    assert note.startswith("4 of 200 drawn test images are checked")
    assert "195 more are decided" in note


def test_an_unclear_image_counts_as_wrong_for_every_arm(study):
    folder = check(with_arms(study).write(), 199)
    last = str(order_of("digits", IMAGES)[199])
    append(folder / DECISIONS, Decision("now", "Ann", "digits", last, "unsure"))
    found_now = answers(study.read())
    assert "1 of them show no class for certain" in found_now.notes[0]
    assert found_now.checked == 200


@pytest.mark.parametrize("damage", ["draw", "decisions", "labels"])
def test_damaged_checks_are_told_and_decide_nothing(study, damage):
    with_arms(study)
    folder = check(study.write(), 200, labels=TRUE if damage == "labels" else RULE)
    if damage == "draw":
        (folder / DRAW).write_text("{")
    if damage == "decisions":
        append(folder / DECISIONS, Decision("now", "Bo", "digits", "7", "label", "class 77"))
    said = answers(study.read())
    assert said.notes[0].startswith("checked test labels are not used: ")
    assert said.table["verdict"].tolist() == ["", "withheld"]


def test_checks_of_trusted_labels_are_ignored(study):
    study.arm("baseline", *[70.0] * 6).arm("up", 71.0, 71.1, 71.2, 71.3, 71.4, 71.5)
    check(study.write(), 200)
    said = answers(study.read())
    assert said.table["verdict"].tolist() == ["", "better"]
    assert "judged_by" not in said.table
    assert said.notes == []


def test_noise_that_is_declared_of_trusted_labels_is_told(study):
    study.test_noise = {"": 0.2}
    said = answers(study.arm("baseline", *[70.0] * 6).arm("same", *[70.0] * 6).read())
    assert said.table["verdict"].tolist() == ["", "equivalent"]
    assert said.notes[0].startswith("data.test_noise has no effect: the test labels are trusted")


# --- declared noise ---


def test_declared_symmetric_noise_gives_verdicts_and_sizes(study):
    rng = np.random.default_rng(7)
    wrong = rng.random(IMAGES) < 0.4
    labels = np.where(wrong, (TRUE + rng.integers(1, CLASSES, IMAGES)) % CLASSES, TRUE)
    study.test_noise = {"": 0.4}
    row = found(with_arms(study, labels))
    assert row["judged_by"] == DECLARED
    assert abs(row["difference"]) < abs(TRUTH), "wrong labels at random shrink a difference"
    assert row["true_low"] < TRUTH < row["true_high"]
    assert row["verdict"] == "worse"
    note = answers(study.read()).notes[0]
    assert "symmetric noise in 40 % of the test labels" in note
    assert "0.56 of those of accuracy" in note
    assert "±0.5 points of accuracy is ±0.28 points of agreement" in note


def test_noise_that_leaves_labels_without_information_is_told(study):
    study.test_noise = {"": 0.9}
    with_arms(study)
    said = answers(study.read())
    assert said.notes[0].startswith("data.test_noise is not used: with 90 % symmetric noise")
    assert said.table["verdict"].tolist() == ["", "withheld"]


def test_declared_class_dependent_noise_is_corrected_by_the_counted_labels(study):
    rng = np.random.default_rng(8)
    wrong = rng.random(IMAGES) < 0.3
    labels = np.where(wrong, TRUE ^ 1, TRUE)
    study.test_noise = {
        "": (2 * (35 * np.eye(10) + 15 * np.eye(10)[np.arange(10) ^ 1])).astype(int).tolist()
    }
    row = found(with_arms(study, labels))
    assert row["judged_by"] == DECLARED
    assert row["true_low"] < TRUTH < row["true_high"]
    assert row["verdict"] in ("worse", "inconclusive")
    assert "estimated from 1000 counted labels" in answers(study.read()).notes[0]


def test_counts_of_other_classes_are_told(study):
    study.test_noise = {"": [[90, 10], [5, 95]]}
    with_arms(study)
    said = answers(study.read())
    assert "there are 2 rows, and the data have 10 classes" in said.notes[0]
    assert said.table["verdict"].tolist() == ["", "withheld"]


def test_trials_without_predictions_are_never_judged(study):
    change = {seed: {"test_labels": "unchecked"} for seed in range(SEEDS)}
    study.test_noise = {"": 0.1}
    study.arm("baseline", *[70.0] * 6, change=change)
    study.arm("up", 75.0, 75.1, 75.2, 75.3, 75.4, 75.5, change=change)
    said = answers(study.read())
    assert said.table["verdict"].tolist() == ["", "withheld"]
    assert len(said.notes) == 1
    assert "there are no predictions of the test images" in said.notes[0]


# --- seeds that are added, and several settings ---


def test_a_study_that_adds_seeds_decides_on_agreement_and_withholds_its_verdicts(study):
    check(with_arms(study).write(), 200)
    arm = Joined(None, "cross_entropy", "arms", "id", "id of the baseline", 0, 0)
    results = replace(study.read(), design=SequentialDesign(6, 8, 0, (arm,)))
    said = answers(results)
    row = said.table.set_index("arm").loc["cross_entropy"]
    assert row["looks"] == 6
    assert row["verdict"] == "withheld"
    assert row["true_low"] < TRUTH < row["true_high"]
    assert "seeds were added until agreement with unchecked labels had decided" in said.notes[1]


def test_a_look_that_closes_a_question_on_agreement_is_no_verdict(study):
    change = {seed: {"test_labels": "unchecked"} for seed in range(16)}
    study.arm("baseline", *[70.0] * 16)
    study.arm("up", *[75.0 + seed / 10 for seed in range(16)], change=change)
    design = SequentialDesign(6, 16, 0, (Joined(None, "up", "arms", "id", "other", 0, 0),))
    results = replace(study.read(), design=design)
    row = answers(results).table.set_index("arm").loc["up"]
    assert row["low"] > 0, "the question is closed, and no more seeds are trained"
    assert row["verdict"] == "withheld"
    assert not answer(results, "up")["final"]


def test_settings_with_the_same_data_share_their_checks(study):
    with_arms(study, setting="one", data_hash="other")
    for setting in ("two", "three"):
        with_arms(study, setting=setting)
    check(study.write(), 200)
    said = answers(study.read())
    arms = said.table[said.table["arm"] == "cross_entropy"]
    assert arms["verdict"].tolist() == ["withheld", "worse", "worse"]
    assert said.notes[0].startswith("two: 200 of 200 drawn test images are checked")
    assert "--split test" in said.notes[2]


def test_failures_are_judged_without_test_labels(study):
    change = {seed: {"test_labels": "unchecked"} for seed in range(40)}
    failed = {seed: {"test_labels": "unchecked", "lost_classes": [3]} for seed in range(20)}
    study.arm("baseline", *[70.0] * 40, change=change)
    ends = [70.0 + (-1) ** seed / 10 for seed in range(40)]
    study.arm("up", *ends, change={**change, **failed})
    assert found(study, "up")["verdict"] == "worse by failures"
