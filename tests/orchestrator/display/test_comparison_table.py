"""The comparison on a terminal: whole in 80 columns, families apart, and every number explained."""

import io
import random
import re
from pathlib import Path

import pytest
from rich.console import Console

from analysis.results.read import read_results
from analysis.results.study_plan import TrialRecord
from orchestrator.display.comparison_table import show
from orchestrator.results.store import Store
from orchestrator.study.load import load_study

STUDIES = Path(__file__).parents[3] / "studies"
SMALL = """
name: s
seeds: [0, 1, 2]
base: {noise: {name: pair, rate: 0.1}}
arms:
  better: {method.mixup: false}
  equal: {method.co_guess: false}
  noisy: {noise.rate: 0.2}
factors:
  method.alpha: {values: [1]}
"""


@pytest.fixture(autouse=True)
def no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of folders are made here, and none has to survive a power cut."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


def planned(tmp_path: Path, study: Path) -> tuple[Store, list[TrialRecord]]:
    store, loaded = Store(tmp_path / "s"), load_study(study)
    records = [trial.record for trial in loaded.trials]
    store.write_plan(loaded.text, loaded.plan)
    return store, records


def finish(store: Store, trial: TrialRecord, accuracy: float) -> None:
    folder = store.folder(trial)
    folder.claim()
    folder.write_json("trial.json", {"id": trial.id})
    noise = (
        f"{trial.seed}"
        if trial.baseline or trial.arm == "baseline"
        else f"{trial.seed}-{trial.arm}"
    )
    folder.finish({"test/accuracy_last10": accuracy, "data_hash": "d", "noise_hash": noise})


def shown(root: Path, soft_wrap: bool) -> list[str]:
    file = io.StringIO()
    show(read_results(root), Console(file=file, width=80, soft_wrap=soft_wrap, highlight=False))
    return [line.rstrip() for line in file.getvalue().splitlines()]


@pytest.mark.parametrize("soft_wrap", [False, True])  # the command line's own console wraps nothing
@pytest.mark.parametrize("study", ["ablation", "cifar10_ablation"])
def test_the_comparison_of_a_real_study_is_whole_in_80_columns(tmp_path, study, soft_wrap):
    store, records = planned(tmp_path, STUDIES / f"{study}.yaml")
    rng = random.Random(0)
    for trial in records:
        if (trial.arm, trial.seed % 1000) != ("no_mixup", 3):  # one is missing
            finish(
                store,
                trial,
                rng.uniform(10, 25) if trial.arm == "cross_entropy" else rng.uniform(90, 99),
            )
    lines = shown(store.root, soft_wrap)
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if "…" in line] == []
    table = "\n".join(lines)
    assert all(arm in table for arm in {trial.arm for trial in records})
    assert re.search(r"no_mixup +\d+ of \d+", table)


def test_settings_stand_one_below_the_other_and_long_names_are_whole(tmp_path):
    study = tmp_path / "s.yaml"
    study.write_text(
        SMALL
        + "settings: {symmetric_noise_of_80_percent: {noise.rate: 0.3}, other: {}, unused: {noise.rate: 0.2}}\n"
    )
    store, records = planned(tmp_path, study)
    for trial in records:
        if trial.setting != "unused":
            finish(store, trial, 90 + 2 * trial.seed)
    lines = shown(store.root, soft_wrap=True)
    assert [line for line in lines if "…" in line] == []
    assert max(map(len, lines)) <= 80
    headings = [lines.index(name) for name in ("symmetric_noise_of_80_percent", "other")]
    assert all(
        lines[at + 1].split()[:2] == ["arm", "n"] and lines[at + 2].startswith("baseline")
        for at in headings
    )
    assert "unused" not in lines


def test_each_arm_has_its_accuracy_and_its_paired_difference(tmp_path):
    study = tmp_path / "s.yaml"
    study.write_text(SMALL)
    store, records = planned(tmp_path, study)
    points = {"baseline": 0.0, "better": 1.5, "equal": 0.0, "noisy": -20.0, "alpha=1": -2.0}
    for trial in records:
        finish(store, trial, 90 + 2 * trial.seed + points[trial.arm])
    rows = {line.split("  ")[0]: line.split() for line in shown(store.root, soft_wrap=True)}
    assert rows["baseline"] == ["baseline", "3", "92.00", "±", "2.00"]
    assert rows["better"][1:6] == ["3", "93.50", "±", "2.00", "+1.50"]
    assert rows["better"][-1] == "0.2500", "whole seeds are flipped, 2/2³"
    assert rows["equal"][1:] == ["3", "92.00", "±", "2.00", "0.00", "[0.00,", "0.00]", "1.0000"]
    assert rows["alpha=1"][5] == "−2.00"
    assert rows["alpha=1"][-1] == "0.2500", "a family of its own"
    assert rows["noisy"] == ["noisy", "3", "72.00", "±", "2.00"], (
        "other noise: compared with nothing"
    )


def test_arms_without_results_are_in_the_table_and_have_no_numbers(tmp_path):
    study = tmp_path / "s.yaml"
    study.write_text(SMALL)
    store, records = planned(tmp_path, study)
    finish(store, records[0], 90.0)
    rows = {line.split("  ")[0]: line.split() for line in shown(store.root, soft_wrap=True)}
    assert rows["baseline"] == ["baseline", "1", "of", "3", "90.00"]
    assert rows["better"] == ["better", "0", "of", "3"]


def test_the_notes_say_what_the_numbers_are(tmp_path):
    study = tmp_path / "s.yaml"
    study.write_text(SMALL)
    store, records = planned(tmp_path, study)
    finish(store, records[0], 90.0)
    notes = " ".join(shown(store.root, soft_wrap=False))
    for part in (
        "test/accuracy_last10",
        "mean ± sd over seeds",
        "arm − baseline",
        "all arms of the family together",
        "sign flips",
    ):
        assert part in notes
