"""`run`, `plan`, `status` and `report` of a search, with a formula in place of training, and then on Ray."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.execution.interrupts import Stop
from orchestrator.results.store import Store
from orchestrator.search.pool import SearchPool
from orchestrator.study.load import load_study
from tests.orchestrator import toy
from tests.orchestrator.runs import (
    RAY_ALONE,
    Command,
    assert_as_undisturbed,
    finish,
    in_place_of_ray,
    pid_of,
    wait_until,
    workers,
)
from tests.orchestrator.toy import STUDY, Curve, begin, peak, write
from trainable.config.trial import TrialConfig
from trainable.storage import names
from trainable.storage.trial_folder import TrialFolder

ASHA = "{name: asha, grace_period: 3, reduction_factor: 3}"

RETUNED = STUDY.replace("space:", "arms:\n  no_mixup: {method.mixup: false}\nspace:").replace(
    "top_k: 2, ", ""
)


@pytest.fixture
def orchestrate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> Callable[..., tuple[int, str]]:
    """Call `python -m orchestrator …` in this process, in an empty folder: (exit code, output)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    monkeypatch.setattr("analysis.report.write._pictures", lambda *arguments: [])
    monkeypatch.setattr("analysis.figures.search.write", lambda *arguments: [])
    monkeypatch.setattr("analysis.stats.search_importance.BOOTSTRAPS", 1)
    monkeypatch.setenv("PATH", "")

    def _command(*arguments: str | Path) -> tuple[int, str]:
        code, out, err = command(*arguments)
        return code, out + err

    return _command


def instead_of_ray(
    monkeypatch: pytest.MonkeyPatch, curve: Curve, interrupt_after: int | None = None
) -> list[str]:
    """Train by a formula; the names of trained trials are listed. Only proposals can be interrupted."""
    names: list[str] = []

    def execute(study: Any, store: Store, work: Any, machine: Any, view: Any) -> Any:
        if isinstance(work, SearchPool):
            known = set(store.runs.rglob("seed=*"))
            toy.run(work, curve, interrupt_after)
            names.extend(
                str(path.relative_to(store.runs))
                for path in set(store.runs.rglob("seed=*")) - known
            )
            return Stop(signal=signal.SIGINT if interrupt_after else None)
        while trial := work.next():
            names.append(trial.record.name)
            folder = begin(store, trial)
            for epoch in range(1, trial.record.epochs + 1):
                folder.append_row(
                    {
                        "epoch": epoch,
                        "val/accuracy": curve(trial.config, epoch),
                        "time/epoch_s": 0.1,
                    }
                )
            value = curve(trial.config, trial.record.epochs)
            hashes = {"data_hash": "d", "noise_hash": str(trial.record.seed)}
            folder.finish({"test/accuracy_last10": value, "time/epoch_s": 1.0, **hashes})
            folder.release()
        return Stop()

    in_place_of_ray(monkeypatch, execute)
    return names


def test_a_search_is_run_confirmed_and_then_nothing_is_left_to_do(
    orchestrate, tmp_path, monkeypatch
):
    study, names = (
        write(tmp_path, scheduler=ASHA, epochs=9, trials=12),
        instead_of_ray(monkeypatch, peak),
    )
    code, output = orchestrate("plan", study)
    assert code == 0
    assert "search toy: 12 trials × 1 seeds" in output
    assert "train.lr: 0.001 to 1.0, log" in output

    code, output = orchestrate("run", study)
    assert code == 0, output
    assert "12 of 12 trials of the search to run" in output
    assert "optuna-dashboard results/toy/search.journal" in output
    assert "confirmation: 6 of 6 trials to run on fresh seeds" in output
    assert "search score" in output
    plan = json.loads(Path("results/toy/trials.json").read_text())["trials"]
    assert [(t["family"], t["baseline"]) for t in plan[:3]] == [
        (None, None),
        *[("search", "baseline")] * 2,
    ]
    assert all(name.split("/")[0] == "baseline" or name.startswith("trial-") for name in names)
    assert "not in the study" not in output

    names.clear()
    code, output = orchestrate("run", study)
    assert (code, names) == (0, [])
    assert "Nothing to do" in output

    code, output = orchestrate("status", "results/toy")
    assert code == 0
    assert "12/12" in output
    assert "6 trials: 6 done" in output
    code, output = orchestrate("report", "results/toy")
    assert code == 0
    assert "optimism.csv" in output
    code, output = orchestrate("plan", study, "--cost")
    assert "on disk: " in output
    assert (code, "cost of 0 missing trials" in output) == (0, True)


def test_a_search_is_exhausted_when_all_its_trials_are_given_out(tmp_path):
    """An executor that asks before it starts Ray has to be told that there is work."""
    plan = load_study(write(tmp_path, trials=2)).search
    assert plan is not None
    pool = SearchPool("toy", plan, Store(tmp_path / "results"))
    pool.reconcile()
    asked = [pool.exhausted]
    while pool.next() is not None:
        asked.append(pool.exhausted)
    assert asked == [False, False, True]


def test_a_proposal_that_repeats_another_is_not_missing(orchestrate, tmp_path, monkeypatch):
    text = STUDY[: STUDY.index("  train.lr:")] + "  train.lr: {values: [0.02, 0.1, 0.5]}\n"
    study = write(tmp_path, text + STUDY[STUDY.index("sampler:") :], trials=6)
    instead_of_ray(monkeypatch, peak)
    code, output = orchestrate("run", study)
    assert code == 0, output
    assert len(list(Path("results/toy/runs").glob("trial-*"))) < 6, "some were repeated"
    plan = json.loads(orchestrate("plan", study, "--json")[1])
    assert [search["missing"] for search in plan["searches"]] == [0]
    assert plan["confirmation"]["ended"] is True
    assert "cost of 0 missing trials" in orchestrate("plan", study, "--cost")[1]


def test_an_extended_search_runs_the_difference_and_confirms_new_winners_only(
    orchestrate, tmp_path, monkeypatch
):
    names = instead_of_ray(monkeypatch, peak)
    orchestrate("run", write(tmp_path, trials=10))
    first = set(names)
    plan = Path("results/toy/trials.json")
    confirmed = [trial["id"] for trial in json.loads(plan.read_text())["trials"]]
    instead_of_ray(monkeypatch, peak, interrupt_after=1)
    assert orchestrate("run", write(tmp_path, trials=11))[0] == 130
    assert [trial["id"] for trial in json.loads(plan.read_text())["trials"]] == confirmed
    names = instead_of_ray(monkeypatch, peak)
    code, output = orchestrate("run", write(tmp_path, trials=16))
    assert code == 0, output
    assert sum(name.endswith("seed=0") for name in names) == 5
    assert not first & set(names)


def test_an_interrupted_search_says_so_and_goes_on(orchestrate, tmp_path, monkeypatch):
    study = write(tmp_path)
    instead_of_ray(monkeypatch, peak, interrupt_after=3)
    code, output = orchestrate("run", study)
    assert code == 130
    assert "3/8" in output
    assert "confirmation:" not in output
    names = instead_of_ray(monkeypatch, peak)
    assert orchestrate("run", study)[0] == 0
    assert sum(name.endswith("seed=0") for name in names) == 5


def test_a_changed_search_is_refused_until_it_is_set_aside(orchestrate, tmp_path, monkeypatch):
    names = instead_of_ray(monkeypatch, peak)
    orchestrate("run", write(tmp_path))
    names.clear()
    study = write(tmp_path, seed=1)
    code, output = orchestrate("run", study)
    assert (code, names) == (3, [])
    assert "toy: sampler" in output
    code, output = orchestrate("run", study, "--stale", "archive")
    assert code == 0, output
    assert "moved to" in output
    assert sum(name.endswith("seed=0") for name in names) == 8


def test_failures_of_a_search_are_named_and_are_no_failure_of_the_study(
    orchestrate, tmp_path, monkeypatch
):
    def failing(searches: SearchPool, curve: Curve, at_most: int | None = None) -> None:
        planned = searches.next()
        begin(searches.store, planned).fail("non-finite loss", "loss is nan", "", retry=False)
        searches.settle(planned.record.name)
        train_all(searches, curve)

    instead_of_ray(monkeypatch, peak)
    train_all = toy.run
    monkeypatch.setattr(toy, "run", failing)
    code, output = orchestrate("run", write(tmp_path))
    assert code == 0
    assert "failed: toy trial-0000: non-finite loss: loss is nan" in output


def test_a_part_of_a_search_cannot_be_chosen(orchestrate, tmp_path):
    code, output = orchestrate("run", write(tmp_path), "--seeds", "0")
    assert code == 2
    assert "--arms, --seeds and --settings" in output
    assert "search" in output


def tuned_by_hand(config: TrialConfig, epoch: int) -> float:
    """MixUp's best lr is the baseline's; without MixUp another lr is best, and better than all."""
    best, top = (0.02, 80.0) if config.method.mixup else (0.3, 90.0)
    return top - 30 * abs(float(config.train.lr / best) ** 0.5 - 1) - 0.01 * (config.seed % 7)


def test_a_re_tuned_ablation_corrects_the_sign_that_a_fixed_setting_gives(
    orchestrate, tmp_path, monkeypatch
):
    from analysis.results.read import read_results
    from analysis.stats import comparison

    instead_of_ray(monkeypatch, tuned_by_hand)
    code, output = orchestrate("run", write(tmp_path, RETUNED, sampler="tpe", trials=25))
    assert code == 0, output
    assert sorted(path.name for path in Path("results/toy/runs").iterdir() if path.is_dir()) == [
        "baseline",
        "fixed",
        "no_mixup",
        "tuned",
    ]
    table = comparison.compare(read_results(Path("results/toy"))).set_index(["setting", "arm"])[
        "difference"
    ]
    assert table["fixed", "no_mixup"] < -5, (
        "without MixUp looks worse at the lr that was tuned for MixUp"
    )
    assert table["tuned", "no_mixup"] > 5, "and is better at its own"

    names = instead_of_ray(monkeypatch, tuned_by_hand)
    code, output = orchestrate("run", write(tmp_path, RETUNED, sampler="tpe", trials=40))
    assert code == 0, output
    fresh = [name for name in names if not name.endswith("seed=0")]
    assert all(name.startswith("tuned/") for name in fresh), (
        "an arm's own setting is not confirmed twice"
    )


# --- in other processes ---

TINY = """\
name: tiny
kind: search
metric: {name: val/accuracy, goal: maximize}
seeds: [0]
base:
  data: {name: digits, validation_fraction: 0.2}
  noise: {name: symmetric, rate: 0.4}
  model: {name: small_cnn, width: 8}
  train: {epochs: EPOCHS, lr: 0.02}
  method: {name: dividemix, warmup_epochs: 1}
space:
  train.lr: {low: 0.001, high: 0.3, log: true}
  method.p_threshold: {low: 0.3, high: 0.8}
sampler: {name: tpe, n_trials: TRIALS}
scheduler: {name: asha, grace_period: 3, reduction_factor: 2}
confirm: {top_k: 1, seeds: [100, 101]}
run: {max_concurrent_trials: SLOTS, max_failures: 1}
"""


def tiny(folder: Path, epochs: int, trials: int, slots: int = 2) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(
        TINY.replace("EPOCHS", str(epochs))
        .replace("TRIALS", str(trials))
        .replace("SLOTS", str(slots))
    )
    return path


def proposals(root: Path) -> list[Any]:
    """State, parameters and score of each Optuna trial."""
    from analysis.stats.search_journal import open_journal

    storage = open_journal(root / names.JOURNAL)
    return [
        (t.state.name, t.params, t.values)
        for t in storage.get_all_trials(storage.get_all_studies()[0]._study_id)
    ]


def assert_whole(study: Path, root: Path, trials: int) -> None:
    """Every trial has ended and has each epoch once; the confirmation's rows are those of undisturbed trials."""
    found = proposals(root)
    assert len(found) == trials
    assert {state for state, *_ in found} <= {"COMPLETE", "PRUNED"}
    for folder in map(TrialFolder, (root / "runs").glob("trial-*/seed=0")):
        assert [row["epoch"] for row in folder.rows()] == list(range(1, len(folder.rows()) + 1))
        assert (folder.summary is None) == (folder.stopped is not None)
        assert not folder.has_checkpoint
    assert_as_undisturbed(study, root / "runs")  # the baseline on fresh seeds


@pytest.mark.ray
@pytest.mark.slow
def test_a_search_on_ray_is_run_and_confirmed(tmp_path, start):
    study, root = tiny(tmp_path, 4, 3), tmp_path / "tiny"
    process = start(study, "--no-dashboard", module=RAY_ALONE)
    output = finish(process)
    assert process.returncode == 0, output
    assert "Traceback" not in output
    assert "WARNING" not in output
    assert not (root / ".tune").exists()
    assert_whole(study, root, 3)


@pytest.mark.slow
def test_an_interrupted_search_resumes_and_is_extended_by_the_difference(
    tmp_path, start, environment
):
    study, root = tiny(tmp_path, 15, 4), tmp_path / "tiny"
    process = start(study, "--no-ray")
    wait_until(
        lambda: len(list((root / "runs").rglob("checkpoint.pt"))) == 2, "both slots train", process
    )
    process.send_signal(signal.SIGINT)
    output = finish(process)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    wait_until(lambda: not workers(environment), "no process is left")
    begun = {
        file.parent: len(TrialFolder(file.parent).rows())
        for file in (root / "runs").rglob("checkpoint.pt")
    }
    assert begun

    process = start(study, "--no-ray")
    output = finish(process)
    assert process.returncode == 0, output
    for folder, epochs in begun.items():
        assert f"resumes after epoch {epochs}" in (folder / "train.log").read_text(), (
            "no finished epoch is lost"
        )
    before = proposals(root)
    assert len(before) == 4

    study = tiny(tmp_path, 15, 6)
    process = start(study, "--no-ray")
    output = finish(process)
    assert process.returncode == 0, output
    assert "2 of 6 trials of the search to run" in output
    assert proposals(root)[:4] == before
    assert_whole(study, root, 6)


@pytest.mark.slow
def test_a_killed_search_resumes_and_comes_to_the_same_end(tmp_path, start, environment):
    study, root = tiny(tmp_path, 12, 6, slots=1), tmp_path / "tiny"
    output = finish(start(study, "--no-ray", results=tmp_path / "undisturbed"))
    assert "Traceback" not in output

    for trained in (1, 3):
        process = start(study, "--no-ray")

        def in_the_middle(trained: int = trained, process: Any = process) -> bool:
            partial = [p.parent for p in (root / "runs").rglob("checkpoint.pt")]
            partial = [folder for folder in partial if not (folder / "stopped.json").exists()]
            ended = len(
                [*(root / "runs").rglob("summary.json"), *(root / "runs").rglob("stopped.json")]
            )
            return ended >= trained and any(
                len(TrialFolder(folder).rows()) >= 2 for folder in partial
            )

        wait_until(in_the_middle, "some trials have ended and one is partial", process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        wait_until(lambda: not workers(environment), "the workers follow their killed driver")
    process = start(study, "--no-ray")
    output = finish(process)
    assert process.returncode == 0, output
    assert any(
        "resumes after epoch" in log.read_text() for log in (root / "runs").rglob("train.log")
    )
    assert_whole(study, root, 6)
    assert proposals(root) == proposals(tmp_path / "undisturbed" / "tiny")


@pytest.mark.slow
def test_what_fails_is_fail_and_the_search_goes_on(tmp_path, run_here):
    """An lr at which the loss is not finite, a timeout, and a trial whose process is killed."""
    text = TINY.replace("high: 0.3, log: true}", "high: 1e12, log: true}").replace("tpe", "random")
    path, root = tmp_path / "tiny.yaml", tmp_path / "tiny"
    path.write_text(text.replace("EPOCHS", "5").replace("TRIALS", "6").replace("SLOTS", "1"))
    code, output = run_here(path)
    assert code == 0, output
    assert "non-finite loss" in output
    states = [state for state, *_ in proposals(root)]
    assert len(states) == 6
    assert "FAIL" in states
    assert "COMPLETE" in states

    path.write_text(
        TINY.replace("EPOCHS", "5")
        .replace("TRIALS", "2")
        .replace("SLOTS", "1")
        .replace("tiny", "late")
    )
    code, output = run_here(path, "--set", "run.trial_timeout=1e-6")
    assert code == 1, "the confirmation has no result either"
    assert [state for state, *_ in proposals(tmp_path / "late")] == ["FAIL", "FAIL"]
    assert "failed: late trial-0001: timeout" in output

    path.write_text(
        TINY.replace("EPOCHS", "15")
        .replace("TRIALS", "2")
        .replace("SLOTS", "1")
        .replace("tiny", "dead")
    )
    first = TrialFolder(tmp_path / "dead" / "runs" / "trial-0000" / "seed=0")

    def kill_it() -> None:
        wait_until(lambda: len(first.rows()) > 2, "the first trial trains")
        os.kill(pid_of(first), signal.SIGKILL)

    code, output = run_here(path, "--set", "run.max_failures=0", during=kill_it)
    assert code == 0, output
    assert "failed: dead trial-0000: process died" in output
    assert [state for state, *_ in proposals(tmp_path / "dead")] == ["FAIL", "COMPLETE"]
