"""`from_arm`: trials that use another arm's trials come after them, and are blocked where those fail."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.results.read import read_results
from orchestrator.cli import app
from orchestrator.execution.interrupts import Stop
from orchestrator.results.reproduce import NotATrial, reproduce
from orchestrator.results.store import Store
from orchestrator.scheduling.dependency_queue import DependencyQueue
from orchestrator.study.load import ConfigError, Study, load_study
from tests.orchestrator.runs import finish, in_place_of_ray, untimed, wait_until, workers
from trainable.config.runtime import Machine
from trainable.config.trial import trial_id
from trainable.storage.trial_folder import TrialFolder
from trainable.trial.session import Session

HEAD = """\
name: s
seeds: [0, 1]
base:
  data: {name: digits, validation_fraction: 0.1}
  noise: {name: symmetric, rate: 0.4}
  model: {name: small_cnn, width: 4}
  train: {epochs: 2, batch_size: 128}
  method: {warmup_epochs: 1}
"""
STUDY = f"""{HEAD}
arms:
  again: {{from_arm: judge, method.name: retrain}}
  strict: {{from_arm: judge, method: {{name: retrain, p_threshold: 0.7}}}}
  judge: {{train.lr: 0.03}}
"""


def study(tmp_path: Path, text: str = STUDY) -> Study:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    return load_study(path)


def mistakes(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        study(tmp_path, text)
    return str(caught.value)


def names(planned: Study) -> list[str]:
    return [trial.record.name for trial in planned.trials]


# --- expansion ---


def test_a_trial_names_the_one_that_it_uses_and_has_its_id(tmp_path):
    trials = {trial.record.name: trial for trial in study(tmp_path).trials}
    for seed in (0, 1):
        judge, again = trials[f"judge/seed={seed}"], trials[f"again/seed={seed}"]
        assert again.record.source == judge.record.name
        assert again.config.from_arm == judge.record.id == trial_id(judge.config)
        assert judge.record.source is None


def test_the_id_holds_the_id_of_the_source_and_not_its_name(tmp_path):
    before = {trial.record.name: trial.record.id for trial in study(tmp_path).trials}
    renamed = {
        t.record.name: t.record.id for t in study(tmp_path, STUDY.replace("judge", "umpire")).trials
    }
    other = {
        t.record.name: t.record.id for t in study(tmp_path, STUDY.replace("0.03", "0.04")).trials
    }
    assert renamed["again/seed=0"] == before["again/seed=0"] != other["again/seed=0"]
    assert other["baseline/seed=0"] == before["baseline/seed=0"]


def test_in_each_setting_the_trial_of_that_setting_is_used(tmp_path):
    planned = study(tmp_path, f"{STUDY}settings:\n  easy: {{noise.rate: 0.2}}\n  hard: {{}}\n")
    for trial in planned.trials:
        if trial.record.arm == "again":
            assert trial.record.source == f"{trial.record.setting}/judge/seed={trial.record.seed}"


def test_where_the_source_equals_another_arm_that_one_is_used(tmp_path):
    arms = STUDY.replace("judge: {train.lr: 0.03}", "judge: {train.lr: 0.02}")
    planned = study(tmp_path, f"{arms}settings:\n  slow: {{}}\n  fast: {{train.lr: 0.1}}\n")
    sources = {trial.record.source for trial in planned.trials if trial.record.arm == "again"}
    assert sources == {
        f"{place}/seed={seed}" for place in ("slow/baseline", "fast/judge") for seed in (0, 1)
    }


def test_a_factor_may_vary_what_uses_a_source(tmp_path):
    text = HEAD.replace(
        "  method: {warmup_epochs: 1}",
        "  from_arm: judge\n  method: {name: retrain, p_threshold: 0}",
    )
    planned = study(
        tmp_path,
        f"{text}arms:\n  judge: {{from_arm: null, method: {{name: dividemix, warmup_epochs: 1}}}}\n"
        "factors:\n  method.p_threshold: {values: [0.5]}\n",
    )
    assert names(planned)[:3] == ["baseline/seed=0", "judge/seed=0", "p_threshold=0.5/seed=0"]
    assert planned.trials[2].record.source == "judge/seed=0"
    assert not any("never leave warm-up" in warning for warning in planned.warnings), (
        "a judge may be all warm-up"
    )


@pytest.mark.parametrize(
    ("arms", "right"),
    [
        (
            "  a: {from_arm: jugde, method.name: retrain}\n  judge: {train.lr: 0.1}",
            "no arm `jugde`; did you mean `judge`?",
        ),
        ("  a: {from_arm: a, method.name: retrain}", "itself: a → a"),
        (
            "  a: {from_arm: b, method.name: retrain}\n  b: {from_arm: a, method: {name: retrain, networks: 2}}",
            "itself: a → b → a",
        ),
        (
            "  a: {method.name: retrain}",
            "`name: retrain` needs the key `from_arm`, the name of the arm whose trial it uses",
        ),
        ("  a: {from_arm: baseline, train.lr: 0.1}", "`baseline` has no effect"),
    ],
)
def test_a_source_that_cannot_be_is_shown_on_its_line(tmp_path, arms, right):
    line = HEAD.count("\n") + 2
    assert any(
        m.startswith(f"{tmp_path}/s.yaml:{line}: ") and right in m
        for m in mistakes(tmp_path, f"{HEAD}arms:\n{arms}\n").splitlines()
    )


def test_a_search_uses_no_trials_of_others(tmp_path):
    text = STUDY.replace(
        "name: s", "name: s\nkind: search\nmetric: {name: val/accuracy, goal: maximize}", 1
    )
    text += "space: {train.momentum: {values: [0.5, 0.9]}}\nsampler: {name: random, n_trials: 2}\n"
    text += "scheduler: {name: none}\nconfirm: {seeds: [7, 8]}\n"
    assert "s.yaml:13: arms.again.from_arm: is for ablations" in mistakes(tmp_path, text)


# --- the queue ---


@pytest.fixture
def queue(tmp_path: Path) -> tuple[DependencyQueue, Store]:
    """Of one seed: `again` and `strict` use `judge`, which comes after them in the file."""
    store = Store(tmp_path / "results")
    return DependencyQueue([t for t in study(tmp_path).trials if t.record.seed == 0], store), store


def taken(queue: DependencyQueue) -> list[str]:
    found = []
    while trial := queue.next():
        found.append(trial.record.name)
    return found


def test_what_waits_is_given_out_once_its_source_is_done(queue):
    queue, store = queue
    assert taken(queue) == ["baseline/seed=0", "judge/seed=0"]
    assert not queue.exhausted
    assert queue.settle("baseline/seed=0") == []
    (store.runs / "judge/seed=0").mkdir(parents=True)
    (store.runs / "judge/seed=0/summary.json").write_text("{}")
    assert queue.settle("judge/seed=0") == []
    assert taken(queue) == ["again/seed=0", "strict/seed=0"]
    assert queue.exhausted


def test_what_waits_for_a_failed_source_is_dropped(queue):
    queue, _ = queue
    taken(queue)
    assert queue.settle("judge/seed=0") == ["again/seed=0", "strict/seed=0"]
    assert queue.exhausted
    assert queue.next() is None


def test_a_source_that_was_done_before_the_run_is_not_waited_for(tmp_path):
    todo = [t for t in study(tmp_path).trials if t.record.name == "again/seed=1"]
    assert taken(DependencyQueue(todo, Store(tmp_path))) == ["again/seed=1"]


# --- runs ---


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """`run` with a queue worked off in place of Ray; trials whose names `run.failing` holds fail."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    monkeypatch.setattr("analysis.report.write.write", lambda results: [])
    monkeypatch.setenv("PATH", "")  # no git
    study(tmp_path)

    def execute(plan: Any, store: Store, queue: DependencyQueue, machine: Any, view: Any) -> Any:
        while trial := queue.next():
            command.ran.append(trial.record.name)
            folder = store.folder(trial.record)
            folder.claim()
            folder.write_json("trial.json", {"id": trial.record.id})
            if trial.record.name in command.failing:
                folder.fail("data", "on purpose", "", retry=False)
            else:
                folder.finish(
                    {
                        "test/accuracy_last10": 90.0,
                        "time/epoch_s": 1.0,
                        "data_hash": "d",
                        "noise_hash": "n",
                    }
                )
            folder.release()
            queue.settle(trial.record.name)
        return Stop()

    in_place_of_ray(monkeypatch, execute)

    def command(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["orchestrator", *arguments])
        command.ran.clear()
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            app.main()
        output = capsys.readouterr()
        return int(end.value.code or 0), output.out + output.err

    command.ran, command.failing = [], set()
    return command


def test_a_failed_source_blocks_what_uses_it_until_it_is_retried(run, tmp_path):
    run.failing.add("judge/seed=1")
    code, output = run("run", "s.yaml")
    assert code == 1
    assert "again/seed=0" in run.ran
    assert "again/seed=1" not in run.ran
    assert "blocked: again/seed=1 uses judge/seed=1, which has no result" in output
    assert "5 done, 1 failed, 2 blocked" in output

    code, output = run("run", "s.yaml")
    assert (code, run.ran) == (1, [])
    assert "have ended or are blocked" in output
    _, output = run("plan", "s.yaml")
    assert "blocked: again/seed=1 uses judge/seed=1, which has no result" in output
    assert "--arms: again" not in output
    _, output = run("status", "results/s")
    assert "blocked: strict/seed=1 uses judge/seed=1, which has no result" in output
    reasons = read_results(tmp_path / "results/s").trials.set_index("folder")["reason"]
    assert reasons["runs/again/seed=1"] == "not run: it uses judge/seed=1, which has no result"

    code, output = run("run", "s.yaml", "--retry-failed", "--arms", "again")
    assert code == 2
    assert (
        "--arms: again uses the trials of judge, and not all are done (judge/seed=1): add judge"
        in output
    )
    run.failing.clear()
    code, _ = run("run", "s.yaml", "--retry-failed")
    assert (code, run.ran) == (0, ["judge/seed=1", "again/seed=1", "strict/seed=1"])


def test_a_selection_without_an_unfinished_source_is_refused_and_without_a_finished_one_is_run(run):
    code, output = run("run", "s.yaml", "--arms", "again,strict")
    assert (code, run.ran) == (2, [])
    assert "again uses the trials of judge" in output
    assert "strict uses the trials of judge" in output
    assert run("run", "s.yaml", "--arms", "judge")[0] == 0
    assert run("run", "s.yaml", "--arms", "again")[0] == 0
    assert run.ran == ["again/seed=0", "again/seed=1"]


def test_the_plan_shows_the_order(run):
    code, output = run("plan", "s.yaml")
    assert code == 0
    assert "order: judge runs before again, strict, which use its trials (from_arm)" in output


# --- trials ---


def test_a_trial_is_reproduced_from_the_source_below_the_same_runs(tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    store = Store(tmp_path / "results")
    by_name = {trial.record.name: trial for trial in study(tmp_path).trials}
    for name in ("judge/seed=0", "again/seed=0"):
        trial = by_name[name]
        machine = replace(Machine(), source_dir=store.source_dir(trial.record))
        session = Session(trial.config, store.folder(trial.record).path, machine)
        while not session.finished:
            session.advance()
        session.close()
    (store.runs / "judge").rename(store.runs / "umpire")
    assert reproduce(store.runs / "again/seed=0", Machine()).identical
    (store.runs / "umpire").rename(tmp_path / "umpire")
    with pytest.raises(NotATrial, match="which is not below"):
        reproduce(store.runs / "again/seed=0", Machine())


# --- killed runs ---

CHAIN = f"""{HEAD.replace("epochs: 2", "epochs: 40").replace("seeds: [0, 1]", "seeds: [0]")}
arms:
  start: {{noise.name: none, method.name: cross_entropy}}
  judge: {{from_arm: start, method.init: from_arm, method.warmup_epochs: 38}}
  again: {{from_arm: judge, method.name: retrain}}
run: {{max_concurrent_trials: 2}}
"""


def undisturbed(planned: Study, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Rows of every trial, each run at once and without Ray; here the study's order has sources first."""
    store, rows = Store(folder), {}
    for trial in planned.trials:
        machine = replace(Machine(), source_dir=store.source_dir(trial.record))
        session = Session(trial.config, store.folder(trial.record).path, machine)
        while not session.finished:
            session.advance()
        session.close()
        rows[trial.record.name] = untimed(session.folder.rows())
    return rows


@pytest.mark.slow
def test_a_chain_killed_before_and_after_its_source_is_done_ends_as_if_undisturbed(
    tmp_path, start, environment
):
    planned = study(tmp_path, CHAIN)
    judge, again = (
        Store(tmp_path / "s").folder(t.record)
        for t in planned.trials
        if t.record.arm in ("judge", "again")
    )
    for moment, what in (
        (lambda: len(judge.rows()) > 2, "the source is being trained"),
        (lambda: judge.summary and len(again.rows()) > 2, "what uses it is being trained"),
    ):
        process = start(planned.path, "--no-ray")
        wait_until(moment, what, process)
        assert judge.summary is not None or not again.path.exists()
        process.kill()
        process.communicate()
        wait_until(lambda: not workers(environment), "the workers follow their killed driver")
    source = judge.path.joinpath("summary.json").stat().st_mtime_ns

    process = start(planned.path, "--no-ray")
    output = finish(process)
    assert process.returncode == 0, output
    assert judge.path.joinpath("summary.json").stat().st_mtime_ns == source
    found = {
        t.record.name: untimed(TrialFolder(tmp_path / "s/runs" / t.record.name).rows())
        for t in planned.trials
    }
    assert found == undisturbed(planned, tmp_path / "undisturbed")
