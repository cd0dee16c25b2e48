"""The study that compares corrected labels with the given ones, on real, tiny trials."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.audit.decisions import Decision, append
from analysis.results.read import read_results
from analysis.stats.comparison import compare
from analysis.stats.costs import costs_of_arms
from orchestrator.audit.review import only_audit
from orchestrator.study.load import load_study
from tests.orchestrator.audit.studies import (
    ARRAYS,
    FOLDER,
    finished,
    trained,
    write_folder,
    write_npz,
)
from trainable.config.runtime import Machine
from trainable.trial.trial import Trial


def decide(
    root: Path, image: str, label: str, seed: int | None = None, kind: str = "label"
) -> None:
    """Append Ann's decision about an image."""
    data = only_audit(root, None, "baseline", seed, Machine())[1]
    append(
        root / "audit/decisions.csv",
        Decision("now", "Ann", data.arrays.hash, image, kind, label),
    )


def given_of(file: Path, arm: str, seed: int = 0) -> dict[int, int]:
    """Row → given label of an arm's training and validation set."""
    (config,) = [
        trial.config
        for trial in load_study(file).trials
        if (trial.record.arm, trial.record.seed) == (arm, seed)
    ]
    data = Trial(config, Machine(study_dir=file.parent)).data
    found = {}
    for part in (data.train, data.validation):
        found |= dict(zip(part.source_index.tolist(), part.given.tolist(), strict=True))
    return found


def test_the_study_can_be_planned_and_run_and_compares_the_labels(command):
    write_folder(10)
    root = finished(FOLDER)
    decide(root, "train/1/2-05.png", "crow")
    options = ("--apply", "fixed.csv", "--min-confidence", "1", "--retrain", "again/more.yaml")
    code, _, err = command("audit", root, *options)
    assert code == 2
    assert "the folder again does not exist" in err
    assert not Path("fixed.csv").exists()
    Path("again").mkdir()
    code, out, err = command("audit", root, *options)
    assert code == 0, err
    assert "next: python -m orchestrator plan again/more.yaml" in out

    file = Path("again/more.yaml")
    code, out, err = command("plan", file)
    assert code == 0, err
    assert "family labels: 1 comparison × 2 seeds" in out
    assert "warning" not in out.replace("warning: ../images: 3 test images", "")
    text = file.read_text()
    assert "1 of 30 labels differ" in text
    assert f"arm baseline of {root}, seeds 0, 1" in text
    assert "labels of the test set are trusted" in text
    sets = ["name=more_plain", "base.method={name: cross_entropy}"]
    assert f"run again/more.yaml --set {sets[0]} --set '{sets[1]}'" in text
    assert load_study(file, sets).trials[0].config.method.name == "cross_entropy"
    given, new = given_of(file, "baseline"), given_of(file, "corrected")
    changed = {row for row, label in given.items() if new[row] != label}
    assert len(changed) == 1
    original = {trial.record.arm: trial.config for trial in load_study(Path("mine.yaml")).trials}[
        "baseline"
    ]
    again = {trial.record.arm: trial.config for trial in load_study(file).trials}["corrected"]
    for section in ("model", "train", "method"):
        assert getattr(again, section) == getattr(original, section)

    results = read_results(trained(file))
    table = compare(results).set_index("arm")
    assert table.loc["corrected", "seeds"] == 2
    assert table.loc["corrected", "family"] == "labels"
    costs = costs_of_arms(results).set_index("arm")
    assert costs.loc["corrected", "seconds_ratio"] > 0


def test_of_injected_noise_the_labels_of_the_chosen_seed_are_compared_in_every_trial(command):
    write_npz(10)
    root = finished(ARRAYS, "{name: symmetric, rate: 0.4}")
    options = ("--seed", "1", "--apply", "fixed.csv", "--retrain", "more.yaml")
    decide(root, "4", "2", seed=1)
    code, _, err = command("audit", root, *options, "--min-confidence", "1")
    assert code == 0, err
    with np.load(root / "runs/baseline/seed=1/samples.npz") as samples:
        given = dict(zip(samples["source_index"].tolist(), samples["given"].tolist(), strict=True))
    assert given_of(Path("more.yaml"), "baseline", 0) == given
    assert given_of(Path("more.yaml"), "baseline", 1) == given
    assert given_of(Path("more.yaml"), "corrected", 0) == {**given, 4: 2}
    table = pd.read_csv("fixed_given.csv")
    assert dict(zip(table["index"], table["label"], strict=True)) == given


def test_unchecked_test_labels_are_said_to_tell_less(command):
    write_folder(10)
    root = finished(FOLDER.replace("}", ", test_labels: unchecked}"))
    decide(root, "train/1/2-05.png", "crow")
    decide(root, "train/1/2-06.png", "", kind="unusable")
    code, _, err = command("audit", root, "--apply", "fixed.csv", "--retrain", "more.yaml")
    assert code == 0, err
    text = Path("more.yaml").read_text()
    assert "unchecked, and no correction was made to them" in text
    assert "Unusable images: 1; they keep their given labels in both arms" in text
    assert load_study(Path("more.yaml")).trials[0].config.data.test_labels == "unchecked"


def test_where_nothing_was_corrected_there_is_nothing_to_compare(command):
    write_npz(10)
    root = finished(ARRAYS)
    options = ("--apply", "fixed.csv", "--min-confidence", "1", "--retrain", "more.yaml")
    code, out, err = command("audit", root, *options)
    assert code == 0, err
    assert "no label was changed" in out
    assert not Path("more.yaml").exists()
    assert not Path("fixed_given.csv").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--retrain", "more.yaml"), "name them with --apply OUT.csv"),
        (("--apply", "new.npz", "--retrain", "more.yaml"), "name a .csv file with --apply"),
        (("--apply", "new.csv", "--retrain", "mine.yaml"), "mine.yaml exists already"),
        (("--apply", "there.csv", "--retrain", "more.yaml"), "there_given.csv exists already"),
    ],
)
def test_what_cannot_be_compared_is_said_and_nothing_is_written(command, options, message):
    write_npz(10)
    root = finished(ARRAYS)
    Path("there_given.csv").write_text("mine")
    code, _, err = command("audit", root, *options)
    assert code == 2
    assert message in err
    assert {path.name for path in Path().iterdir()} == {
        "images.npz",
        "mine.yaml",
        "results",
        "there_given.csv",
    }
