"""Runs whose processes are killed, starved, stopped, and whose study changes. Whatever happened, the same command run
again ends with every trial done once, each epoch once, and rows bit-identical to those of undisturbed trials.

Where only workers are disturbed, the run is in this process, and the disturbance in a thread.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.orchestrator.runs import (
    STUDY,
    Environment,
    Process,
    assert_as_undisturbed,
    assert_quiet,
    finish,
    let_two_hang,
    pid_of,
    press_again_and_again,
    unfinished,
    wait_for_two,
    wait_until,
    wake,
    workers,
    write_study,
)
from trainable.storage.trial_folder import TrialFolder

pytestmark = pytest.mark.slow

EPOCHS = 30
NAMES = {"baseline/seed=0", "baseline/seed=1", "no_mixup/seed=0", "no_mixup/seed=1"}
RENAMED = STUDY.replace("no_mixup:", "plain:")


def runs_of(tmp_path: Path) -> Path:
    return tmp_path / "tiny" / "runs"


def name_of(folder: TrialFolder) -> str:
    return "/".join(folder.path.parts[-2:])


def log_of(folder: TrialFolder) -> str:
    return (folder.path / "train.log").read_text()


def kill(process: Process, environment: Environment) -> None:
    """Kill -9 of the driver; the processes that it started follow by themselves."""
    process.kill()
    process.communicate()
    wait_until(lambda: not workers(environment), "the workers follow their killed driver")


def summaries(runs: Path) -> dict[Path, tuple[int, bytes]]:
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes()) for path in runs.rglob("summary.json")
    }


def content(root: Path) -> dict[Path, bytes]:
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_killed_driver_killed_workers_and_a_damaged_checkpoint(tmp_path, start, environment):
    study, runs = write_study(tmp_path, EPOCHS), runs_of(tmp_path)

    process = start(study, "--no-ray")
    wait_until(lambda: any(runs.rglob("trial.json")), "a trial begins", process)
    kill(process, environment)

    process = start(study, "--no-ray")
    wait_for_two(runs, process)
    for pid in workers(environment):  # driver, fork server, workers
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.communicate()
    wait_until(lambda: not workers(environment), "all are dead")
    assert process.returncode == -signal.SIGKILL
    folder = next(
        f for f in unfinished(runs) if {p.name for p in f.path.iterdir()} >= {"checkpoint.prev.pt"}
    )
    newest = folder.path / (
        "checkpoint.pt" if (folder.path / "checkpoint.pt").exists() else "checkpoint.prev.pt"
    )
    os.truncate(newest, newest.stat().st_size // 2)
    epochs = len(folder.rows())
    partial, before = unfinished(runs, 3), len(summaries(runs))

    def resumed() -> bool:
        logs = [log_of(folder) for folder in partial if (folder.path / "train.log").exists()]
        # Killed between two renames, a trial has one checkpoint, and that one is damaged.
        begun = ["resumes after epoch" in log or "starts anew" in log for log in logs]
        return len(logs) == len(partial) and all(begun)

    process = start(study, "--no-ray")
    wait_until(
        lambda: resumed() and len(summaries(runs)) > before,
        "all have resumed and another trial is done",
        process,
    )
    kill(process, environment)
    done = summaries(runs)
    log = log_of(folder)
    assert newest.name in log
    assert newest.with_suffix(".damaged").name in log
    assert newest.with_suffix(".damaged").exists()
    if newest.name == "checkpoint.pt":
        resumed_after = re.search(r"resumes after epoch (\d+)", log)
        assert resumed_after, log
        assert epochs - 2 <= int(resumed_after[1]) < epochs, "from the checkpoint before"

    process = start(study, "--no-ray")
    output = finish(process)
    assert process.returncode == 0, output
    assert_quiet(output)
    assert f"{4 - len(done)} of 4 trials to run" in output
    assert summaries(runs).items() >= done.items(), "no finished trial was touched"
    assert_as_undisturbed(study, runs)


def test_a_killed_worker_is_a_named_failure_or_tried_again(tmp_path, run_here):
    study, runs = write_study(tmp_path, EPOCHS), runs_of(tmp_path)
    victims = []

    def kill_one() -> None:
        victims.append(wait_for_two(runs)[0])
        os.kill(pid_of(victims[0]), signal.SIGKILL)

    code, output = run_here(study, during=kill_one)
    (victim,) = victims
    assert code == 1, output
    assert f"failed: {name_of(victim)}: process died: its process was ended by SIGKILL" in output
    assert "--retry-failed" in output
    assert "3 done, 1 failed" in output
    failure = victim.failure
    assert failure is not None
    assert failure["kind"] == "process died"
    assert victim.has_checkpoint
    done = summaries(runs)
    assert len(done) == 3

    def kill_it_again() -> None:
        wait_until(
            lambda: victim.owner and len(victim.rows()) > failure["epoch"],
            "the victim trains again",
        )
        os.kill(pid_of(victim), signal.SIGKILL)

    code, output = run_here(
        study, "--retry-failed", "--set", "run.max_failures=2", during=kill_it_again
    )
    assert code == 0, output
    assert "1 of 4 trials to run" in output
    assert log_of(victim).count("resumes after epoch") == 2
    assert victim.failure is None
    assert summaries(runs).items() >= done.items()
    assert_as_undisturbed(study, runs)


def test_interrupts_keep_each_finished_epoch(tmp_path, run_here):
    study, runs = write_study(tmp_path, EPOCHS), runs_of(tmp_path)
    options = ["--set", "run.checkpoint_every=100"]
    kept: list[tuple[TrialFolder, int]] = []
    for number, code, epochs in ((signal.SIGINT, 130, 3), (signal.SIGTERM, 143, 16)):

        def interrupt(number: int = number, epochs: int = epochs) -> None:
            wait_for_two(runs, epochs=epochs)
            os.kill(os.getpid(), number)

        found, output = run_here(study, *options, during=interrupt)
        assert found == code, output
        assert " partial" in output
        assert not (tmp_path / "tiny" / "study.lock").exists()
        assert unfinished(runs)
        kept += [(folder, len(folder.rows())) for folder in unfinished(runs)]
        assert all(folder.owner is None for folder, _ in kept)

    code, output = run_here(study, *options)
    assert code == 0, output
    for folder, epoch in kept:
        assert f"resumes after epoch {epoch}\n" in log_of(folder)
    assert_as_undisturbed(study, runs)


def test_workers_that_hang(tmp_path, start, environment):
    study, runs = write_study(tmp_path, EPOCHS), runs_of(tmp_path)
    process = start(study, "--no-ray")
    _, pids = let_two_hang(runs, process)

    press_again_and_again(process)
    output = finish(process)
    assert process.returncode == 130, output
    assert_quiet(output)
    wake(pids)
    wait_until(lambda: not workers(environment), "the actors follow")

    process = start(study, "--no-ray", "--set", "run.stall_timeout=20")
    hung, pids = let_two_hang(runs, process, 6)
    output = finish(process)
    assert process.returncode == 1, output
    assert_quiet(output)
    assert "run.stall_timeout: 20" in output
    assert re.search(r"last seen: (baseline|no_mixup)/seed=\d (epoch \d+|started) at ", output), (
        output
    )

    process = start(study, "--no-ray")
    wait_until(
        lambda: all(f.summary or (f.owner and f.owner["pid"] not in pids) for f in hung),
        "others have taken over",
        process,
    )
    wake(pids)  # if they still live, they find themselves replaced and must not write
    output = finish(process)
    assert process.returncode == 0, output
    assert_quiet(output)
    wait_until(lambda: not workers(environment), "nothing is left running")
    assert_as_undisturbed(study, runs)


@pytest.fixture
def small_place(tmp_path: Path) -> Iterator[Path]:
    """A file system that is too small for the study."""
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "none", place], capture_output=True
    ).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def resize(place: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", place], check=True)


def fill(place: Path) -> None:
    """Take all the space that is left."""
    with contextlib.suppress(OSError), (place / "ballast").open("ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_a_full_disk(tmp_path, small_place, run_here):
    study, runs = write_study(tmp_path, EPOCHS), runs_of(small_place)
    code, output = run_here(study, results=small_place)
    assert code == 3, output
    assert str(small_place) in output

    resize(small_place, "8m")
    over = threading.Event()

    def fill_it() -> None:
        wait_for_two(runs)
        while not over.wait(0.05):
            fill(small_place)  # again and again, for a replaced checkpoint makes room

    filling = threading.Thread(target=fill_it)
    filling.start()
    code, output = run_here(study, results=small_place)
    over.set()
    filling.join()
    assert code == 3, output
    assert str(runs) in output
    assert "No space left on device" in output
    assert "run again" in output
    assert not any(runs.rglob("failure.json")), "the disk is to blame, not the trial"

    resize(small_place, "200m")
    code, output = run_here(study, results=small_place)
    assert code == 0, output
    assert_as_undisturbed(study, runs)


def test_results_below_a_file(tmp_path, run_here):
    study, file = write_study(tmp_path, EPOCHS), tmp_path / "file"
    file.write_text("not a folder")
    code, output = run_here(study, results=file / "results")
    assert code == 3, output
    assert str(file) in output
    assert "Not a directory" in output
    assert len(output.strip().splitlines()) == 1


def test_a_second_run_while_the_first_trains(tmp_path, run_here, start):
    study, runs = write_study(tmp_path, 40), runs_of(tmp_path)  # longer than a start takes
    refused = []

    def run_too() -> None:
        wait_until(lambda: any(runs.rglob("trial.json")), "the first run trains")
        refused.append(start(study, "--no-ray"))
        refused.append(finish(refused[0]))

    code, output = run_here(study, during=run_too)
    assert code == 0, output
    assert "4 done" in output
    second, told = refused
    assert second.returncode == 3, told
    assert f"is being run by process {os.getpid()} on {socket.gethostname()}" in told


def test_a_study_that_changes(tmp_path, run_here):
    study, runs = write_study(tmp_path, 3), runs_of(tmp_path)
    assert run_here(study)[0] == 0
    done = summaries(runs)

    study = write_study(tmp_path, 3, STUDY.replace("arms:", "arms:\n  slow: {train.lr: 0.01}"))
    changes = ["seeds=[0, 1, 2]"]
    code, output = run_here(study, "--set", *changes)
    assert code == 0, output
    assert "5 of 9 trials to run" in output
    assert summaries(runs).items() >= done.items(), "no finished trial was touched"
    assert_as_undisturbed(study, runs, changes)

    before = {path.parent.relative_to(runs): value for path, value in summaries(runs).items()}
    study = write_study(tmp_path, 3, RENAMED.replace("arms:", "arms:\n  slow: {train.lr: 0.01}"))
    code, output = run_here(study, "--set", *changes)
    assert code == 0, output
    assert "moved no_mixup/seed=0 to plain/seed=0" in output
    assert "Nothing to do" in output
    moved = {Path(str(path).replace("no_mixup", "plain")): value for path, value in before.items()}
    assert {
        path.parent.relative_to(runs): value for path, value in summaries(runs).items()
    } == moved

    changes = ["base.train.lr=0.03"]
    code, output = run_here(study, "--set", *changes)
    assert code == 3, output
    assert "4 trials in " in output
    for name in ("baseline/seed=0", "baseline/seed=1", "plain/seed=0", "plain/seed=1"):
        assert f"\n  {name}\n" in output
    assert "\n  slow/seed=0\n" not in output, "it sets its own learning rate"

    old = {
        name: content(runs / name)
        for name in ("baseline/seed=0", "plain/seed=1", "slow/seed=1", "plain/seed=2")
    }
    code, output = run_here(study, "--set", *changes, "--stale", "archive")
    assert code == 0, output
    assert "4 stale trials moved to " in output
    assert "4 of 6 trials to run" in output
    (archive,) = (tmp_path / "tiny" / "archive").iterdir()
    assert {
        path.parent.relative_to(archive).as_posix() for path in archive.rglob("summary.json")
    } == {f"{arm}/seed={seed}" for arm in ("baseline", "plain") for seed in (0, 1)}
    for name in ("baseline/seed=0", "plain/seed=1"):
        assert content(archive / name) == old[name], "kept whole"
    for name in ("slow/seed=1", "plain/seed=2"):
        assert content(runs / name) == old[name], "not touched"
    assert_as_undisturbed(study, runs, changes)


def test_trials_that_take_too_long(tmp_path, run_here):
    study, runs = write_study(tmp_path, 4), runs_of(tmp_path)
    code, output = run_here(study, "--set", "run.trial_timeout=0.05")
    assert code == 1, output
    failed = r"^failed: (\S+): timeout: .*run\.trial_timeout: 0\.05"
    assert set(re.findall(failed, output, re.MULTILINE)) == NAMES
    assert "4 failed" in output

    code, output = run_here(study, "--set", "run.trial_timeout=null", "--retry-failed")
    assert code == 0, output
    assert_as_undisturbed(study, runs, ["run.trial_timeout=null"])


def test_a_diverging_trial_is_named_and_the_others_are_done(tmp_path, run_here):
    study = write_study(tmp_path, 2, STUDY.replace("arms:", "arms:\n  diverging: {train.lr: 1e12}"))
    code, output = run_here(study, "--quiet", "--set", "seeds=[0]")
    assert code == 1, output
    assert re.fullmatch(r"failed: diverging/seed=0: non-finite loss: .*\n", output), (
        "a quiet run says nothing else"
    )
    failure = TrialFolder(runs_of(tmp_path) / "diverging" / "seed=0").failure
    assert failure is not None
    assert failure["attempts"] == 1, "trying again would not help"

    code, output = run_here(study, "--set", "seeds=[0]")
    assert code == 1
    assert "Nothing to do" in output
    assert "2 done, 1 failed" in output
