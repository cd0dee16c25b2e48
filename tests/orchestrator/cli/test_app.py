"""The commands on hand-made results: what they print, their exit codes, and that they start Ray only for work."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.results.study_plan import TrialRecord
from orchestrator.execution.interrupts import Stop
from orchestrator.execution.resources import CannotRun
from orchestrator.results.store import Store
from orchestrator.scheduling.trial_source import TrialSource
from orchestrator.study.load import load_study
from tests.orchestrator.runs import in_place_of_ray
from trainable.config.trial import SCHEMA
from trainable.storage.trial_folder import TrialFolder

STUDY = """
name: tiny
seeds: [0, 1]
base: {train: {epochs: 3}, method: {warmup_epochs: 1}}
arms:
  no_mixup: {method.mixup: false}
"""
ROOT = Path(__file__).parents[3]
ABLATION = ROOT / "studies" / "ablation.yaml"


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to work in, without Ray, and nothing that has to survive a power cut."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    for name in ("ray", "orchestrator.ray_backend.execute"):  # importing it is an error
        monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture
def study() -> Path:
    path = Path("tiny.yaml")
    path.write_text(STUDY)
    return path


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures out: they take a second, and only one test here looks at them."""
    monkeypatch.setattr("analysis.report.write.write", lambda results: [])


def planned(study: Path) -> tuple[Store, list[TrialRecord]]:
    """The study as an earlier run has left its plan in `results/`."""
    loaded = load_study(study)
    store, records = Store(Path("results") / loaded.name), [trial.record for trial in loaded.trials]
    store.write_plan(loaded.text, loaded.plan)
    return store, records


def begin(store: Store, trial: TrialRecord, id: str | None = None) -> TrialFolder:
    """Claim the trial's folder and say whose it is; `id` for another trial than planned."""
    folder = store.folder(trial)
    folder.claim()
    folder.write_json("trial.json", {"id": id or trial.id, "schema": SCHEMA})
    return folder


def finish(store: Store, trial: TrialRecord, accuracy: float = 90.0) -> None:
    folder = begin(store, trial)
    for epoch in range(1, trial.epochs + 1):
        folder.append_row({"epoch": epoch, "test/accuracy": accuracy})
    hashes = {"data_hash": "d", "noise_hash": str(trial.seed)}
    folder.finish({"test/accuracy_last10": accuracy, "time/epoch_s": 1.0, **hashes})
    folder.release()


def stop(store: Store, trial: TrialRecord) -> None:
    folder = begin(store, trial)
    folder.save_checkpoint(b"state")
    folder.release()


def fail(store: Store, trial: TrialRecord) -> None:
    failure = {
        "kind": "non-finite loss",
        "message": "loss is nan in epoch 2",
        "retry": False,
        "attempts": 1,
    }
    folder = begin(store, trial)
    folder.write_json("failure.json", failure)
    folder.release()


def executing(
    monkeypatch: pytest.MonkeyPatch, work: Callable[[Store, TrialRecord], Any], end: Any = None
) -> list[str]:
    """In place of Ray, do `work` for each trial to run; the names of those trials are listed."""
    names: list[str] = []

    def execute(plan: Any, place: Store, source: TrialSource, machine: Any, view: Any) -> Any:
        while trial := source.next():
            names.append(trial.record.name)
            work(place, trial.record)
            view.ended(trial.record.name)
        return Stop(signal=end)

    in_place_of_ray(monkeypatch, execute)
    monkeypatch.setenv("PATH", "")  # no git: the repository around is none of these tests' business
    return names


# --- plan ---


def test_plan_of_a_new_study_counts_its_trials_and_makes_nothing(command):
    code, out, err = command("plan", ABLATION)
    assert (code, err) == (0, "")
    assert "results/ablation: 78 trials: 78 todo" in out
    assert "to train: 2340 epochs" in out
    assert "family arms: 6 comparisons × 6 seeds" in out
    assert "seeds are added until each question is decided, 6 to 24" in out
    assert "warning" not in out
    assert list(Path().iterdir()) == []


def test_plan_counts_what_earlier_runs_have_done(command, study):
    store, records = planned(study)
    finish(store, records[0])
    fail(store, records[1])
    begin(store, records[2], id="other")
    code, out, _ = command("plan", study)
    assert code == 0
    assert "4 trials: 1 done, 1 failed, 1 stale, 1 todo" in out
    assert "to train: 6 epochs" in out, "the stale one's and the new one's"


def test_plan_warns_of_missing_data_and_of_too_few_seeds(command, study):
    study.write_text(
        f"{STUDY}  files: {{data: {{name: npz, path: my/images.npz}}}}\n  c: {{data.name: cifar10}}\n"
    )
    code, out, _ = command("plan", study, "--data", "sets")
    assert code == 0
    here = Path.cwd()
    assert (
        f"warning: npz: {here / 'my' / 'images.npz'} does not exist; expected a file with train_images"
        in out
    )
    assert (
        f"warning: cifar10: {here / 'sets' / 'cifar-10-batches-py'} does not exist; expected the folder"
        in out
    )
    assert "too few to show a difference, at least 6 are needed" in out
    assert "not paired with the baseline (other data or noise): c, files" in out


def test_plan_of_a_selection_looks_at_that_alone(command, study):
    study.write_text(f"{STUDY}  files: {{data: {{name: npz, path: images.npz}}}}\n")
    code, out, _ = command("plan", study, "--arms", "baseline,no_mixup", "--seeds", "1")
    assert code == 0
    assert "2 trials: 2 todo" in out
    assert "family arms: 1 comparison × 1 seed: too few" in out
    assert "files" not in out, "what is absent for others is no matter"
    code, _, err = command("plan", study, "--arms", "nomix")
    assert (code, err) == (2, "--arms: the study has no nomix; it has baseline, files, no_mixup\n")


def test_plan_of_a_selection_counts_what_has_begun_with_it(command, study):
    text = STUDY + "  other: {method.networks: 1}\n"
    study.write_text(text)
    _, out, _ = command("plan", study, "--arms", "no_mixup")
    assert "family arms: 1 comparison × 2 seeds" in out
    assert (
        "warning: --arms: no_mixup is compared with baseline, of which baseline/seed=0, baseline/seed=1 is"
        in out
    )
    store, records = planned(study)
    for record in records:
        finish(store, record)
    study.write_text(text.replace("[0, 1]", "[0, 1, 2]"))
    _, out, _ = command("plan", study, "--arms", "no_mixup", "--seeds", "2")
    assert "family arms: 2 comparisons × 3 seeds" in out


def test_plan_of_a_selection_warns_of_an_arm_that_it_needs(command, study):
    study.write_text(f"{STUDY}  again: {{from_arm: baseline, method: {{name: retrain}}}}\n")
    code, out, _ = command("plan", study, "--arms", "again")
    assert code == 0
    assert "warning: --arms: again uses the trials of baseline, and not all are done" in out


def test_an_arm_that_never_leaves_its_warm_up_is_told_by_plan_and_refused_by_run(command, study):
    longer = ("--set", "base.method.warmup_epochs=3")
    code, out, _ = command("plan", study, *longer)
    assert code == 0
    assert "warning: " in out
    assert "`baseline` never leaves its warm-up of 3 epochs" in out
    code, _, err = command("run", study, *longer)
    assert code == 2
    assert "tiny.yaml" in err
    assert "`baseline` never leaves its warm-up of 3 epochs" in err


def test_plan_shows_the_warnings_of_the_study(command, study):
    study.write_text(f"{STUDY}settings: {{easy: {{}}, same: {{method.mixup: false}}}}\n")
    _, out, _ = command("plan", study)
    warning = "no_mixup computes the same as baseline in setting same and is not run there again"
    assert f"warning: {warning}" in out
    _, out, _ = command("plan", study, "--json")
    assert json.loads(out)["warnings"] == [warning]


def test_plan_looks_for_data_beside_the_study_file(command, study):
    folder = Path("elsewhere")
    folder.mkdir()
    (folder / "images.npz").touch()
    moved = study.rename(folder / study.name)
    moved.write_text(f"{STUDY}  files: {{data: {{name: npz, path: images.npz}}}}\n")
    _, out, _ = command("plan", moved)
    assert "does not exist" not in out


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        ([], "Usage"),
        (["frobnicate"], "No such command 'frobnicate'"),
        (["plan"], "Missing argument 'STUDY'"),
        (["plan", "nowhere.yaml"], "nowhere.yaml: there is no such file"),
        (["run", "nowhere.yaml"], "nowhere.yaml: there is no such file"),
        (["run", "tiny.yaml", "--stale", "drop"], "Invalid value for '--stale'"),
        (["run", "tiny.yaml", "--restart"], "No such option"),
        (["plan", "tiny.yaml", "--set", "base.train.epoch=3"], "did you mean `epochs`?"),
        (["status"], "Missing argument 'RUN_DIR'"),
        (["status", "results/nowhere"], "results/nowhere contains no study"),
        (["status", "tiny.yaml"], "tiny.yaml contains no study"),
        (["report", "results/nowhere"], "results/nowhere contains no study"),
    ],
)
def test_a_wrong_command_line_ends_with_code_2_and_says_what_is_wrong(
    command, study, arguments, right
):
    code, out, err = command(*arguments)
    assert code == 2
    assert right in out + err


# --- status and report ---


def test_status_shows_every_arm_from_the_files_alone(command, study):
    store, records = planned(study)
    finish(store, records[0], 90)
    finish(store, records[2], 92)
    fail(store, records[1])
    study.unlink()
    code, out, _ = command("status", store.root)
    assert code == 0
    lines = {line.split()[0]: line.split() for line in out.splitlines() if line}
    assert lines["baseline"] == ["baseline", "2", "6/6", "91.00", "±", "1.41"]
    assert lines["no_mixup"] == ["no_mixup", "1", "1", "0/6"]
    assert "results/tiny: 4 trials: 2 done, 1 failed, 1 todo" in out
    assert "failed: no_mixup/seed=0: non-finite loss: loss is nan in epoch 2" in out
    assert "being run" not in out


def test_status_says_who_runs_the_study(command, study):
    store, records = planned(study)
    begin(store, records[0])
    with store.lock():
        code, out, _ = command("status", store.root)
    assert code == 0
    assert "4 trials: 1 running, 3 todo" in out
    assert f"being run by process {os.getpid()} on {socket.gethostname()}" in out


def test_report_writes_tables_and_figures_and_names_them(command, study):
    store, records = planned(study)
    for trial in records:
        finish(store, trial, 90 + trial.seed + 2 * (trial.arm == "no_mixup"))
    code, out, _ = command("report", store.root)
    assert code == 0
    assert re.search(r"no_mixup +2 +92\.50 ± 0\.71 +\+2\.00 \[\+2\.00, \+2\.00\] +0\.5000", out)
    files = [Path(line) for line in out.splitlines() if line.startswith(f"{store.root / 'report'}")]
    assert store.root / "report" / "tables" / "arms.csv" in files
    assert {file.suffix for file in files} == {".html", ".csv", ".md", ".tex", ".png", ".svg"}
    assert all(file.stat().st_size for file in files)


def test_report_of_a_study_of_which_nothing_is_done_is_no_error(command, study):
    store, _ = planned(study)
    code, out, _ = command("report", store.root)
    assert code == 0
    assert "0 of 2" in out


# --- run, up to the work ---


def test_run_refuses_missing_data_before_ray_is_imported(command, study):
    study.write_text(f"{STUDY}  c: {{data.name: cifar10}}\n")
    code, _, err = command("run", study)
    assert code == 2
    assert "cifar10: " in err
    assert "name its parent with --data DIR" in err
    assert not Path("results/tiny/study.lock").exists()


def test_run_does_not_miss_data_that_only_finished_trials_needed(command, study, no_report):
    study.write_text(STUDY.replace("base: {", "base: {data: {name: npz, path: gone.npz}, "))
    store, records = planned(study)
    for trial in records:
        finish(store, trial)
    assert command("run", study)[0] == 0


def test_run_refuses_stale_trials_lists_them_and_leaves_everything_as_it_was(command, study):
    store, records = planned(study)
    for trial in records:
        finish(store, trial)
    before = contents(store.root)
    code, _, err = command("run", study, "--set", "base.train.lr=0.5")
    assert code == 3
    listed = [line.strip() for line in err.splitlines() if line.startswith("  ")]
    assert listed == ["baseline/seed=0", "no_mixup/seed=0", "baseline/seed=1", "no_mixup/seed=1"]
    assert err.startswith("4 trials in results/tiny/runs were run with other settings")
    assert "--stale archive" in err
    assert contents(store.root) == before


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file below a folder; the guard of the lock, which stays for the next taker, aside."""
    return {
        file: file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file.suffix != ".guard"
    }


def test_run_lists_twenty_of_many_stale_trials(command, study):
    study.write_text(STUDY.replace("[0, 1]", str(list(range(12)))))
    store, records = planned(study)
    for trial in records:
        begin(store, trial, id="other")
    _, _, err = command("run", study)
    listed = [line.strip() for line in err.splitlines() if line.startswith("  ")]
    assert err.startswith("24 trials")
    assert len(listed) == 21
    assert listed[-1] == "…"


def test_run_refuses_a_study_that_another_process_runs(command, study):
    store, _ = planned(study)
    with store.lock():
        code, _, err = command("run", study)
        assert store.lock().holder_alive(), "it is still locked"
    assert code == 3
    assert f"results/tiny is being run by process {os.getpid()} on {socket.gethostname()}" in err


def test_run_refuses_a_results_folder_that_cannot_be_made(command, study):
    Path("results").touch()
    code, _, err = command("run", study)
    assert code == 3
    assert "results/tiny" in err


def test_run_of_a_finished_study_compares_its_arms_without_ray(command, study, no_report):
    store, records = planned(study)
    for trial in records:
        finish(store, trial)
    code, out, _ = command("run", study)
    assert code == 0
    assert "Nothing to do: all 4 trials of results/tiny have ended." in out
    assert re.search(r"^no_mixup +2 ", out, re.MULTILINE)
    assert "results/tiny (4 done)" in out


def test_run_of_a_study_that_failed_ends_with_code_1_and_names_the_failures(
    command, study, no_report
):
    store, records = planned(study)
    for trial in records[:3]:
        finish(store, trial)
    fail(store, records[3])
    code, out, _ = command("run", study)
    assert code == 1
    assert "failed: no_mixup/seed=1: non-finite loss: loss is nan in epoch 2" in out
    assert "3 done, 1 failed" in out


# --- run, with something in Ray's place ---


def test_run_does_what_is_missing_and_nothing_else(command, study, monkeypatch, no_report):
    names = executing(monkeypatch, finish)
    code, out, _ = command("run", study)
    assert code == 0
    assert names == ["baseline/seed=0", "no_mixup/seed=0", "baseline/seed=1", "no_mixup/seed=1"]
    assert "tiny: 4 of 4 trials to run, results in results/tiny" in out
    assert "[4/4] no_mixup/seed=1: test/accuracy_last10 90.00 in 1.0 s" in out
    study.write_text(
        f"{STUDY}  no_guess: {{method.co_guess: false}}\n".replace("[0, 1]", "[0, 1, 2]")
    )
    names.clear()
    code, out, _ = command("run", study)
    assert code == 0
    assert names == [f"{a}/seed={s}" for a, s in (("no_guess", 0), ("no_guess", 1))] + [
        f"{arm}/seed=2" for arm in ("baseline", "no_mixup", "no_guess")
    ]
    assert "(9 done)" in out


def test_run_moves_a_renamed_arm_and_says_so(command, study, monkeypatch, no_report):
    names = executing(monkeypatch, finish)
    command("run", study)
    names.clear()
    study.write_text(STUDY.replace("no_mixup", "without_mixup"))
    code, out, _ = command("run", study)
    assert (code, names) == (0, [])
    assert "moved no_mixup/seed=0 to without_mixup/seed=0: the same trial under its new name" in out


def test_run_sets_stale_trials_aside_when_told_to_and_runs_them_anew(
    command, study, monkeypatch, no_report
):
    names = executing(monkeypatch, finish)
    command("run", study)
    names.clear()
    code, out, _ = command(
        "run", study, "--set", "arms.no_mixup.train.lr=0.5", "--stale", "archive"
    )
    assert code == 0
    assert names == ["no_mixup/seed=0", "no_mixup/seed=1"]
    (archive,) = Path("results/tiny/archive").iterdir()
    assert f"2 stale trials moved to {archive}" in out
    assert (archive / "no_mixup" / "seed=1" / "summary.json").exists()


def test_run_lists_trials_that_left_the_study(command, study, monkeypatch, no_report):
    executing(monkeypatch, finish)
    command("run", study)
    code, out, _ = command("run", study, "--set", "seeds=[0]")
    assert code == 0
    assert "note: 2 trials on disk are not in the study: baseline/seed=1, no_mixup/seed=1" in out
    assert "(2 done)" in out


def test_run_tries_failed_trials_again_only_when_told_to(command, study, monkeypatch, no_report):
    names = executing(monkeypatch, fail)
    assert command("run", study)[0] == 1
    names.clear()
    assert command("run", study)[0] == 1
    assert names == []
    names = executing(monkeypatch, finish)
    assert command("run", study, "--retry-failed")[0] == 0
    assert len(names) == 4


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_ends_with_the_code_of_its_signal(
    command, study, monkeypatch, no_report, number, code
):
    executing(monkeypatch, stop, end=number)
    ended, out, _ = command("run", study)
    assert ended == code
    assert "4 partial" in out
    assert not Path("results/tiny/study.lock").exists()


def test_run_keeps_where_its_results_come_from(command, study, monkeypatch, no_report):
    executing(monkeypatch, finish)
    command("run", study)
    command("run", study, "--set", "seeds=[0, 1, 2]")
    runs = json.loads(Path("results/tiny/provenance.json").read_bytes())
    assert [run["command"][1:] for run in runs] == [
        ["run", "tiny.yaml"],
        ["run", "tiny.yaml", "--set", "seeds=[0, 1, 2]"],
    ]
    assert {run["host"] for run in runs} == {socket.gethostname()}
    assert {run["git_revision"] for run in runs} == {None}, "there is no git here"
    assert "torch" in runs[0]["versions"]


def test_run_says_where_to_watch_and_what_deserves_a_warning(
    command, study, monkeypatch, no_report
):
    executing(monkeypatch, finish)
    study.write_text(f"{STUDY}settings: {{easy: {{}}, same: {{method.mixup: false}}}}\n")
    _, out, _ = command("run", study)
    assert "python -m orchestrator tensorboard results/tiny" in out
    assert "note: no_mixup computes the same as baseline in setting same" in out


def test_run_on_a_machine_that_is_too_small_ends_with_code_2(command, study, monkeypatch):
    def refuse(store: Store, trial: TrialRecord) -> None:
        raise CannotRun("resources.cpu: a trial asks for 64, and this machine has 2")

    executing(monkeypatch, refuse)
    code, _, err = command("run", study)
    assert (code, err) == (2, "resources.cpu: a trial asks for 64, and this machine has 2\n")
    assert not Path("results/tiny/study.lock").exists()


@pytest.mark.parametrize(
    ("options", "host"),
    [([], "127.0.0.1"), (["--dashboard-host", "0.0.0.0"], "0.0.0.0"), (["--no-dashboard"], None)],
)
def test_the_dashboard_listens_on_this_machine_alone_unless_asked(
    command, study, monkeypatch, no_report, options, host
):
    asked = []

    def own_ray(dashboard, stack, console):
        asked.append(dashboard)
        return lambda *arguments: Stop()

    monkeypatch.setattr("orchestrator.run.executor.OwnRay", own_ray)
    command("run", study, *options)
    assert asked == [host]


def test_a_cluster_that_cannot_be_joined_ends_the_run_with_code_2(command, study, monkeypatch):
    executing(monkeypatch, finish)
    code, _, err = command("run", study, "--address", "127.0.0.1:1")
    assert code == 2
    assert "--address 127.0.0.1:1: no server listens there" in err


def test_an_interrupt_before_the_work_is_a_word_and_code_130(command, study, monkeypatch):
    def interrupt(*arguments: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("orchestrator.cli.plan_command.load_study", interrupt)
    code, _, err = command("plan", study)
    assert code == 130
    assert "interrupted" in err


# --- run --profile ---


def test_a_profile_of_an_arm_prints_its_phases_and_runs_no_trial(command, study, tmp_path):
    code, output, errors = command("run", study, "--profile", "no_mixup")
    assert code == 0, errors
    phases = [line.split() for line in output.splitlines()[1:7]]
    assert [phase[0] for phase in phases] == ["phase", "divide", "train", "eval", "rest", "epoch"]
    assert phases[-1][-1] == "100%"
    assert (tmp_path / "results" / "tiny" / "profile" / "no_mixup.json.gz").is_file()
    assert not (tmp_path / "results" / "tiny" / "runs").exists()


def test_a_profile_of_an_unknown_arm_names_the_known_ones(command, study):
    code, _, errors = command("run", study, "--profile", "no_mixpu")
    assert code == 2
    assert errors == "--profile: the study has no arm no_mixpu; it has baseline, no_mixup\n"


# --- terminals, pipes, and what plan knows before a run ---


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
@pytest.mark.parametrize("module", ["orchestrator plan study.yaml", "analysis report nowhere"])
def test_no_command_fails_for_the_encoding_of_its_output(tmp_path, encoding, module):
    (tmp_path / "study.yaml").write_text(STUDY)
    name, *arguments = module.split()
    done = subprocess.run(
        [sys.executable, "-m", name, *arguments],
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
    )
    assert b"Traceback" not in done.stderr
    assert done.returncode == (0 if name == "orchestrator" else 2)
    assert (done.stdout + done.stderr).decode(encoding)


def test_a_study_from_a_pipe_is_kept_with_its_results(tmp_path, command, monkeypatch, no_report):
    executing(monkeypatch, finish)
    reading, writing = os.pipe()
    os.write(writing, STUDY.encode())
    os.close(writing)
    code, _, err = command("run", f"/dev/fd/{reading}", "--results", tmp_path)
    os.close(reading)
    assert code == 0, err
    assert (tmp_path / "tiny" / "study.yaml").read_text() == STUDY


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("resources.cpu=1000000", "a trial asks for 1e+06 CPUs"),
        ("base.noise={name: file, path: nowhere.json}", "nowhere.json does not exist"),
        ("base.data={name: npz, path: .}", "is a folder; expected a file with train_images"),
        ("base.data={name: image_folder, path: tiny.yaml}", "is a file; expected a folder"),
    ],
)
def test_plan_warns_of_what_will_fail(study, command, change, words):
    code, out, err = command("plan", study, "--set", change)
    assert code == 0, err
    assert f"{words}" in out
    assert "warning: " in out


def test_a_stall_timeout_below_a_second_is_a_mistake(study, command):
    code, _, err = command("plan", study, "--set", "run.stall_timeout=1.0e-9")
    assert code == 2
    assert "run.stall_timeout" in err


def test_status_as_json_is_one_document(command, study):
    store, records = planned(study)
    finish(store, records[0])
    fail(store, records[1])
    code, out, err = command("status", store.root, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["counts"] == {"done": 1, "failed": 1, "todo": 2}
    assert found["trials"][0] == {
        "name": "baseline/seed=0",
        "setting": None,
        "arm": "baseline",
        "seed": 0,
        "state": "done",
        "epoch": 3,
        "epochs": 3,
        "test/accuracy_last10": 90.0,
    }
    assert [failure["kind"] for failure in found["failures"]] == ["non-finite loss"]
    assert found["time_left_s"] > 0
    assert found["running"] is False
    code, _, err = command("status", store.root, "--json", "--watch")
    assert (code, err) == (2, "--json prints the state once: leave out --watch\n")


def test_commands_to_paste_are_quoted(command, study, monkeypatch, no_report):
    executing(monkeypatch, finish)
    code, out, _ = command("run", study, "--results", "my results")
    assert code == 0
    assert "python -m orchestrator tensorboard 'my results/tiny'" in out


def test_report_as_json_is_one_document(command, study, no_report):
    store, records = planned(study)
    for trial in records:
        finish(store, trial, accuracy=90.0 + trial.seed + 2 * (trial.arm == "no_mixup"))
    code, out, err = command("report", store.root, "--json")
    assert (code, err) == (0, "")
    [found] = json.loads(out)["studies"]
    assert (found["study"], found["done"], found["trials"]) == ("tiny", 4, 4)
    assert found["asked"].startswith("Which of 1 arms are better or worse")
    arms = {arm["arm"]: arm for arm in found["arms"]}
    assert arms["baseline"]["mean"] == 90.5
    assert arms["baseline"]["difference"] is None
    assert arms["no_mixup"]["difference"] == 2.0
    assert arms["no_mixup"]["verdict"] == "inconclusive"


def test_plan_of_a_search_as_json_has_its_budget_and_its_confirmation(command):
    code, out, err = command("plan", ROOT / "studies" / "search.yaml", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    [search] = found["searches"]
    assert (search["name"], search["trials"], search["missing"]) == ("search", 30, 30)
    assert [each["path"] for each in search["space"]][:2] == ["train.lr", "method.warmup_epochs"]
    assert found["confirmation"]["trials"] == 24
    assert found["confirmation"]["ended"] is False


def test_plan_calls_a_search_within_the_random_start_a_random_search(command):
    study = ROOT / "studies" / "search.yaml"
    _, out, _ = command("plan", study, "--set", "sampler.n_trials=10")
    assert "this is a random search, because tpe proposes at random until 10 trials" in out
    _, out, _ = command("plan", study, "--set", "sampler.n_trials=11")
    assert "random search" not in out
    several = [
        "metric=[{name: val/accuracy, goal: maximize}, {name: work/forwards, goal: minimize}]",
        "sampler={name: nsga2, n_trials: 10, seed: 0}",
        "scheduler={name: none}",
    ]
    changes = [part for change in several for part in ("--set", change)]
    code, out, err = command("plan", study, *changes)
    assert code == 0, err
    assert "this is a random search, because nsga2 proposes at random until 10 trials" in out
