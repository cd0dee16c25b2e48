"""`run --try`: a short run in a folder of its own; what it trains, says and leaves."""

import re
import shutil
from pathlib import Path

import pytest

from orchestrator.run.try_study import EPOCHS, chosen_trials, shortened
from orchestrator.scheduling.trial_selection import Options
from orchestrator.study.load import load_study
from trainable.config.trial import trial_id
from trainable.storage.trial_folder import TrialFolder

STUDY = """
name: tiny
seeds: [3, 4]
base:
  data: {name: digits, validation_fraction: 0.1}
  noise: {name: symmetric, rate: 0.2}
  model: {name: small_cnn, width: 4}
  train: {epochs: 40}
  method: {name: dividemix, warmup_epochs: 10}
arms:
  chosen: {from_arm: baseline, method: {name: retrain}}
  plain: {method.name: cross_entropy}
  no_mixup: {method.mixup: false}
analysis: {primary: no_mixup}
resources: {gpu: 0}
"""


@pytest.fixture
def study(tmp_path, monkeypatch) -> Path:
    """A study, in the folder that the commands are called in; temporary folders are made there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    file = Path("tiny.yaml")
    file.write_text(STUDY)
    return file


def chosen(study: Path, **options) -> list[str]:
    return [trial.record.name for trial in chosen_trials(load_study(study), Options(**options))]


def test_the_baseline_and_the_primary_arm_are_tried_else_the_next_that_needs_no_other(study):
    assert chosen(study) == ["baseline/seed=3", "no_mixup/seed=3"]
    assert chosen(study, seeds=frozenset([4])) == ["baseline/seed=4", "no_mixup/seed=4"]
    assert chosen(study, arms=frozenset(["plain"])) == ["plain/seed=3"]
    study.write_text(STUDY.replace("analysis: {primary: no_mixup}", ""))
    assert chosen(study) == ["baseline/seed=3", "plain/seed=3"]


@pytest.mark.parametrize("warmup", ["10", "1", "auto"])
def test_a_short_trial_divides_and_is_another_trial(study, warmup):
    study.write_text(STUDY.replace("warmup_epochs: 10", f"warmup_epochs: {warmup}"))
    trial = load_study(study).trials[0]
    short = shortened(trial)
    assert short.config.train.epochs == short.record.epochs == EPOCHS
    assert short.config.method.warmup_epochs == 1
    assert short.record.id == trial_id(short.config) != trial.record.id
    assert trial.config.train.epochs == 40


def test_a_try_trains_reports_and_leaves_the_results_alone(study, command):
    code, out, err = command("run", study, "--try", "--arms", "baseline,plain")
    assert code == 0, err
    assert "Warm-up, division and report work: baseline and plain, in " in out
    assert re.search(r"The study has 4 trials: .+ of training on one slot, .+ kept\.", out)
    folder = Path(re.search(r"The try is in (\S+), and you may remove it\.\n$", out)[1])
    assert (folder / "tiny/report/index.html").is_file()
    rows = TrialFolder(folder / "tiny/runs/baseline/seed=3").rows()
    assert [row["epoch"] for row in rows] == list(range(1, EPOCHS + 1))
    assert any(name.startswith("division/") for name in rows[-1])
    assert not Path("results").exists()
    shutil.rmtree(folder)
    assert not list(Path().glob("try-*"))


def test_what_a_run_refuses_a_try_refuses_and_leaves_nothing(study, command):
    study.write_text(STUDY.replace("{name: digits, ", "{name: npz, path: absent.npz, "))
    code, _, err = command("run", study, "--try")
    expected, _, said = command("run", study, "--no-ray")
    assert (code, err) == (expected, said)
    assert code == 2
    assert "absent.npz" in err
    shutil.rmtree("results", ignore_errors=True)
    assert not list(Path().glob("try-*"))


@pytest.mark.parametrize("options", [("--address", "auto"), ("--json",), ("--profile", "plain")])
def test_options_that_contradict_a_try_are_named(study, command, options):
    code, _, err = command("run", study, "--try", *options)
    assert code == 2
    assert "leave out" in err
    assert options[0] in err


def test_a_search_is_not_tried(study, command):
    code, _, err = command("run", Path(__file__).parents[3] / "studies/search.yaml", "--try")
    assert code == 2
    assert "--try: a search is not shortened" in err


def test_an_arm_that_needs_another_is_not_tried_alone(study, command):
    code, _, err = command("run", study, "--try", "--arms", "chosen")
    assert code == 2
    assert "uses the trials of another arm" in err


def test_a_trial_that_fails_is_named_and_its_folder_is_kept(study, command):
    study.write_text(STUDY.replace("epochs: 40", "epochs: 40, lr: 1e30"))
    code, out, err = command("run", study, "--try", "--arms", "plain")
    assert code == 1
    assert "failed: plain/seed=3" in out + err
    assert "--retry-failed" not in out + err, "a try is not resumed"
    assert "report work" not in out
    folder = Path(re.search(r"The try is in (\S+), and", out)[1])
    assert (folder / "tiny/runs/plain/seed=3/failure.json").is_file()
    shutil.rmtree(folder)
