"""What a run may be asked besides the study, what it refuses without a trace, and what it tells of cost and pace."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.results.study_plan import TrialRecord
from orchestrator.cli.selection import _parts
from orchestrator.display.status import notes
from orchestrator.display.time_left import time_left
from orchestrator.execution.interrupts import Stop
from orchestrator.results.reproduce import compare
from orchestrator.results.store import Store
from orchestrator.scheduling.dependency_queue import longest_first
from orchestrator.scheduling.disk_space import size
from orchestrator.scheduling.renamed_trials import renamed
from orchestrator.scheduling.trial_selection import Options
from orchestrator.scheduling.trial_source import TrialSource
from orchestrator.study.load import load_study
from tests.analysis.material import signed_again
from tests.orchestrator.folders import SUMMARY
from tests.orchestrator.runs import in_place_of_ray
from trainable.config.runtime import Machine
from trainable.config.trial import SCHEMA, TrialConfig, trial_id
from trainable.storage.checksums import FORMAT
from trainable.storage.code_version import code_hash
from trainable.storage.trial_folder import TrialFolder
from trainable.trial.cost import estimate
from trainable.trial.session import Session

STUDY = """
name: tiny
seeds: [0, 1]
base: {train: {epochs: 3}, method: {warmup_epochs: 1}}
arms:
  no_mixup: {method.mixup: false}
settings:
  easy: {}
  hard: {train.lr: 0.5}
"""
TINY = {
    "noise": {"name": "symmetric", "rate": 0.4},
    "model": {"name": "small_cnn", "width": 4},
    "train": {"epochs": 4, "batch_size": 128},
    "method": {"name": "dividemix", "warmup_epochs": 1},
}


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    monkeypatch.setattr("analysis.report.write.write", lambda results: [])
    for name in ("ray", "orchestrator.ray_backend.execute"):  # importing it is an error
        monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """In place of Ray, every trial is finished at once; their names."""
    names: list[str] = []

    def execute(plan: Any, store: Store, source: TrialSource, machine: Any, view: Any) -> Any:
        while trial := source.next():
            names.append(trial.record.name)
            finish(store, trial.record)
        return Stop()

    in_place_of_ray(monkeypatch, execute)
    monkeypatch.setenv("PATH", "")  # no git
    return names


def begin(
    store: Store, record: TrialRecord, id: str | None = None, **fingerprint: Any
) -> TrialFolder:
    folder = store.folder(record)
    folder.claim()
    about = {
        "id": id or record.id,
        "schema": SCHEMA,
        "format": FORMAT,
        "fingerprint": fingerprint,
    }
    folder.write_json("trial.json", about)
    return folder


def finish(
    store: Store,
    record: TrialRecord,
    id: str | None = None,
    seconds: float = 3.0,
    **fingerprint: Any,
) -> None:
    folder = begin(store, record, id, **fingerprint)
    rows = [
        {"epoch": epoch, "time/epoch_s": seconds / record.epochs}
        for epoch in range(1, record.epochs + 1)
    ]
    for row in rows:
        folder.append_row(row)
    folder.finish(
        {"test/accuracy_last10": 90.0, "time/epoch_s": seconds, "data_hash": "d", "noise_hash": "n"}
    )
    folder.release()


def stop(store: Store, record: TrialRecord, **fingerprint: Any) -> TrialFolder:
    """Leave a partial trial."""
    folder = begin(store, record, **fingerprint)
    folder.save_checkpoint(b"state")
    folder.release()
    return folder


def study_file(text: str = STUDY) -> tuple[Path, Store, list[TrialRecord]]:
    path = Path("tiny.yaml")
    path.write_text(text)
    return path, Store(Path("results/tiny")), [trial.record for trial in load_study(path).trials]


def tree() -> dict[str, bytes]:
    return {
        str(p): p.read_bytes() for p in Path().rglob("*") if p.is_file() and p.suffix != ".guard"
    }


# --- selections ---


@pytest.mark.parametrize(
    ("options", "right"),
    [
        ({}, True),
        ({"arms": {"a"}}, True),
        ({"arms": {"b"}}, False),
        ({"seeds": {0, 7}}, True),
        ({"seeds": {0}}, False),
        ({"settings": {"x"}}, True),
        ({"settings": {"y"}}, False),
        ({"arms": {"a"}, "seeds": {7}, "settings": {"x", "y"}}, True),
        ({"arms": {"a"}, "seeds": {0}, "settings": {"x"}}, False),
    ],
)
def test_a_trial_is_selected_if_every_given_selection_names_it(options, right):
    chosen = Options(**{name: frozenset(values) for name, values in options.items()})
    assert chosen.selects(TrialRecord("1", "x", "a", 7, "arms", "baseline", 3)) is right


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--arms", "no_mixup,nomix"], "--arms: the study has no nomix; it has baseline, no_mixup"),
        (["--seeds", "1,2"], "--seeds: the study has no 2; it has 0, 1"),
        (["--seeds", "one"], "--seeds: one is not a number or a range such as 0-7"),
        (["--settings", "soft"], "--settings: the study has no soft; it has easy, hard"),
    ],
)
def test_an_unknown_selection_is_refused_and_nothing_is_written(command, arguments, message):
    study, *_ = study_file()
    code, _, err = command("run", study, *arguments)
    assert (code, err) == (2, f"{message}\n")
    assert list(tree()) == ["tiny.yaml"]
    assert not Path("results").exists()


def test_only_selected_trials_run_and_count_for_the_exit_code(command, executed):
    study, *_ = study_file()
    code, out, _ = command(
        "run", study, "--arms", "no_mixup", "--seeds", "1", "--settings", "hard,easy"
    )
    assert code == 0
    assert executed == ["easy/no_mixup/seed=1", "hard/no_mixup/seed=1"]
    assert "(2 done, 6 todo)" in out


def test_the_longest_trials_of_each_seed_begin_first(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text(
        "name: lengths\nseeds: [0, 1]\nbase: {data: {name: digits}, train: {epochs: 20}}\n"
        "arms: {one: {method.networks: 1}, longer: {train.epochs: 30}, same: {method.lambda_u: 0}}\n"
    )
    trials = load_study(file).trials
    assert [trial.record.arm for trial in trials[:4]] == ["baseline", "one", "longer", "same"]
    order = [f"{trial.record.arm} {trial.record.seed}" for trial in longest_first(trials)]
    assert order == [
        f"{arm} {seed}" for seed in (0, 1) for arm in ("longer", "baseline", "same", "one")
    ]


def test_nothing_to_do_for_a_selection_does_not_claim_that_all_trials_have_ended(command, executed):
    study, *_ = study_file()
    chosen = ["--arms", "no_mixup", "--seeds", "1"]
    command("run", study, *chosen)
    _, out, _ = command("run", study, *chosen)
    assert "all 8 trials" not in out


def test_a_selection_archives_what_it_runs_and_nothing_else(command, executed):
    study, store, records = study_file()
    for record in records:
        finish(store, record, id="no longer planned")
    chosen = ["--arms", "no_mixup", "--seeds", "1", "--settings", "hard"]
    code, out, err = command("run", study, *chosen)
    assert code == 3
    assert "1 trials in results/tiny/runs were run with other settings" in err
    code, out, _ = command("run", study, *chosen, "--stale", "archive")
    assert code == 0
    assert executed == ["hard/no_mixup/seed=1"]
    assert len([*store.runs.rglob("summary.json")]) == len(records)
    assert (
        "note: --arms: no_mixup is compared with baseline, of which hard/baseline/seed=1 is not done"
        in out
    )


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a,b", ["a", "b"]),
        ("x=1,y=2", ["x=1,y=2"]),
        ("x=1,y=2,a", ["x=1,y=2", "a"]),
        ("a,x=1,y=2", ["a", "x=1,y=2"]),
        ("x=1,y=23", ["x=1", "y=23"]),
        (",a,,", ["a"]),
        ("", []),
    ],
)
def test_names_that_hold_commas_can_be_chosen(text, parts):
    assert list(_parts(text, {"a", "b", "x=1", "x=1,y=2"})) == parts


def test_an_arm_of_a_product_can_be_chosen(command, executed):
    study, *_ = study_file(
        "name: tiny\nseeds: [0]\nbase: {train: {epochs: 3}, method: {warmup_epochs: 1}}\ndesign: product\n"
        "factors: {method.lambda_u: {values: [0, 5]}, method.p_threshold: {values: [0.3, 0.7]}}\n"
    )
    code, _, err = command("run", study, "--arms", "baseline,lambda_u=0,p_threshold=0.3")
    assert code == 0, err
    assert executed == ["baseline/seed=0", "lambda_u=0,p_threshold=0.3/seed=0"]


# --- the same code ---


def test_results_of_other_code_are_refused_then_archived_and_those_of_this_code_stay(
    command, executed
):
    study, store, records = study_file()
    finish(store, records[0], code="older")
    stop(store, records[1], code="older")
    finish(store, records[2], code=code_hash())
    begin(store, records[3], code="older").release()
    before = tree()
    code, _, err = command("run", study, "--same-code")
    assert code == 3
    assert "2 trials in results/tiny/runs were run with other settings, data or code" in err
    assert f"  {records[0].name}\n  {records[1].name}\n" in err
    assert tree() == before, "refused, and nothing is written"
    code, out, _ = command("run", study, "--same-code", "--stale", "archive")
    assert code == 0
    assert "2 stale trials moved to" in out
    (archive,) = (store.root / "archive").iterdir()
    moved = {path.parent.relative_to(archive).as_posix() for path in archive.rglob("trial.json")}
    assert moved == {records[0].name, records[1].name}
    assert sorted(executed) == sorted(r.name for r in records if r != records[2])


def test_results_of_other_code_stay_without_being_asked_for(command, executed):
    study, store, records = study_file()
    finish(store, records[0], code="older")
    assert command("run", study)[0] == 0
    assert records[0].name not in executed


def test_a_failed_trial_of_other_code_is_not_gone_on_from(command, executed):
    study, store, records = study_file()
    folder = stop(store, records[0], code="older")
    failure = {"kind": "k", "message": "m", "retry": False, "attempts": 1}
    (folder.path / "failure.json").write_text(json.dumps(failure))
    assert command("run", study, "--same-code", "--retry-failed")[0] == 3


def test_a_trial_killed_while_it_is_built_again_keeps_its_fingerprint(tmp_path, monkeypatch):
    def die(*arguments: Any) -> None:
        raise KeyboardInterrupt

    store, config = Store(tmp_path), TrialConfig.model_validate(TINY)
    record = TrialRecord(trial_id(config), None, "a", 0, None, None, 2)
    stop(store, record, code="older")
    monkeypatch.setattr("trainable.trial.session.Trial", die)
    with pytest.raises(KeyboardInterrupt):
        Session(config, store.folder(record).path, Machine())
    assert store.code(record) == "older"


def test_a_renamed_trial_moves_into_the_place_of_an_archived_one(command, executed):
    study, store, records = study_file(STUDY.partition("settings")[0])
    old = TrialRecord(records[1].id, None, "old_name", 0, None, None, 3)
    assert records[1].name == "no_mixup/seed=0"
    finish(store, old)
    finish(store, records[1], id="no longer planned")
    assert command("run", study, "--stale", "archive")[0] == 0
    assert "no_mixup/seed=0" not in executed, "it is done already, under its old name"


def test_a_trial_moves_though_a_crash_left_another_of_its_name_in_between(tmp_path):
    store = Store(tmp_path)
    finish(store, TrialRecord("gone", None, ".moving/a", 0, None, None, 3))
    finish(store, TrialRecord("1", None, "a", 0, None, None, 3))
    new = TrialRecord("1", None, "b", 0, None, None, 3)
    store.rename(renamed([new], store.snapshot([new]).files))
    assert store.folder(new).summary


def test_a_data_path_that_cannot_exist_is_a_mistake_of_the_study(command):
    study, *_ = study_file(
        STUDY.replace("base: {", f"base: {{data: {{name: npz, path: {'x' * 300}}}, ")
    )
    assert command("plan", study)[0] in (0, 2)


# --- pace and fingerprints ---


def now(store: Store, records: list[TrialRecord]) -> Any:
    """States and files."""
    snapshot = store.planned(records)
    return snapshot.states(records, 2), snapshot.files


def test_time_left_goes_by_the_epochs_on_disk(tmp_path):
    store = Store(tmp_path)
    records = [TrialRecord(str(n), None, "a", n, None, None, 4) for n in range(4)]
    assert time_left(store, *now(store, records)) is None, "no epoch yet"
    finish(store, records[0], seconds=40.0)
    folder = begin(store, records[1])
    folder.append_row({"epoch": 1, "time/epoch_s": 20.0})
    folder.save_checkpoint(b"state")
    begin(store, records[2], id="other")  # stale
    expected = "time left: about 2 min on 1 slot"  # 11 of 16 epochs left, 12 s each
    assert time_left(store, *now(store, records)) == expected
    with store.lock():
        assert time_left(store, *now(store, records)) == expected
        (folder.path / "checkpoint.pt").unlink()
        store.folder(records[3]).claim()
        begin(store, records[3])
        assert time_left(store, *now(store, records)) == "time left: about 1 min on 2 slots"
    for record in records:
        finish(store, record)
    assert time_left(store, *now(store, records)) is None, "nothing is left"


def test_finished_trials_of_different_making_are_named(tmp_path):
    store = Store(tmp_path)
    records = [TrialRecord(str(n), None, "a", n, None, None, 1) for n in range(4)]
    for record, code in zip(records, "xxy", strict=False):
        finish(store, record, code=code, device="cpu")
    begin(store, records[3], code="z").save_checkpoint(b"state")
    assert notes(records, *now(store, records)) == ["finished trials differ in code: x (2), y (1)"]
    assert notes(records[:2], *now(store, records)) == []


# --- cost ---


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (1.44e6, "1.4 MB"),
        (2e9, "2.0 GB"),
        (3.21e15, "3210.0 TB"),
    ],
)
def test_sizes_in_powers_of_a_thousand(number, shown):
    assert size(number) == shown


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real finished trial of four epochs."""
    path = tmp_path_factory.mktemp("trial")
    session = Session(TrialConfig.model_validate(TINY), path, Machine(device="cpu"))
    while not session.finished:
        session.advance()
    session.close()
    assert session.folder.summary
    return path


def test_an_estimate_grows_with_the_epochs_and_fits_a_real_trial_on_disk(trial):
    few = estimate(TrialConfig.model_validate(TINY), Machine(device="cpu"))
    many = estimate(
        TrialConfig.model_validate(TINY | {"train": {"epochs": 200, "batch_size": 128}}), Machine()
    )
    assert 0 < few.seconds < many.seconds
    assert few.kept < many.kept
    assert few.while_running > 0
    taken = sum(file.stat().st_size for file in trial.iterdir())
    assert taken / 2 < few.kept < 2 * taken


# --- reproduce ---


def folder_with(path: Path, accuracies: list[float], **fingerprint: Any) -> TrialFolder:
    folder = TrialFolder(path)
    folder.claim()
    folder.write_json("trial.json", {"id": "1", "fingerprint": fingerprint})
    for epoch, accuracy in enumerate(accuracies, 1):
        folder.append_row(
            {
                "epoch": epoch,
                "test/accuracy": accuracy,
                "time/epoch_s": float(np.random.default_rng().random()),
            }
        )
    return folder


@pytest.mark.parametrize(
    ("accuracies", "code", "expected"),
    [
        ([1.0, 2.0], "c", (None, [], [])),
        ([1.0, 2.0], "d", (None, [], ["code"])),
        ([1.0, 2.5], "c", (2, ["test/accuracy"], [])),
        ([1.0], "c", (2, ["epoch", "test/accuracy"], [])),
        ([1.0, 2.0, 3.0], "c", (3, ["epoch", "test/accuracy"], [])),
    ],
)
def test_two_folders_are_compared_row_by_row_seconds_aside(tmp_path, accuracies, code, expected):
    found = compare(
        folder_with(tmp_path / "a", [1.0, 2.0], code="c"),
        folder_with(tmp_path / "b", accuracies, code=code),
    )
    assert (found.epoch, found.metrics, found.fingerprint) == expected
    assert found.identical is (expected[0] is None)
    assert found.epochs == 2


@pytest.mark.parametrize(("code", "identical"), [("d", True), ("c", False)])
def test_metrics_that_only_newer_code_records_are_named_and_not_compared(tmp_path, code, identical):
    first = folder_with(tmp_path / "a", [1.0, 2.0], code="c")
    second = folder_with(tmp_path / "b", [1.0, 2.0], code=code)
    second.append_row({"epoch": 3, "test/accuracy": 3.0, "train/changed": 5.0})
    assert not compare(first, second).identical, "a row more is a difference"
    first.append_row({"epoch": 3, "test/accuracy": 3.0})
    found = compare(first, second)
    assert found.identical is identical
    if identical:
        assert str(found).endswith("excepted; new metrics, not compared: train/changed")
    assert compare(second, first).metrics == ["train/changed"], "a metric less is a difference"


def test_a_real_trial_is_reproduced_and_a_changed_number_is_found(command, trial):
    before = {path.name: path.read_bytes() for path in trial.iterdir()}
    code, out, _ = command("reproduce", trial)
    assert (code, out) == (0, "identical: all 4 rows, times excepted\n")
    assert {path.name: path.read_bytes() for path in trial.iterdir()} == before
    rows = [json.loads(line) for line in before["metrics.jsonl"].splitlines()]
    rows[1]["test/accuracy"] += 0.25
    try:
        (trial / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        code, _, err = command("reproduce", trial)
        assert (code, err) == (
            2,
            f"{trial} is damaged: metrics.jsonl does not match its checksum\n",
        )
        signed_again(trial / "metrics.jsonl")
        code, out, _ = command("reproduce", trial)
    finally:
        for name in ("metrics.jsonl", "summary.json"):
            (trial / name).write_bytes(before[name])
    assert (code, out) == (1, "different from epoch 2 on: test/accuracy\n")


def test_a_folder_without_a_finished_trial_cannot_be_reproduced(command, tmp_path):
    for path in (tmp_path / "nowhere", tmp_path):
        code, _, err = command("reproduce", path)
        assert code == 2
        assert f"{path} contains no completed trial" in err


def test_a_trial_whose_data_is_gone_is_not_called_different(command, tmp_path):
    folder = folder_with(tmp_path / "t", [1.0])
    config = TrialConfig.model_validate({"data": {"name": "npz", "path": "gone.npz"}})
    folder.write_json("trial.json", {"id": "1", "config": config.model_dump()})
    folder.finish({**SUMMARY, "test/accuracy_last10": 1.0})
    code, out, err = command("reproduce", tmp_path / "t")
    assert code == 2
    assert "gone.npz" in err
    assert "different" not in out


def test_plan_shows_a_renamed_trial_as_done_before_it_is_moved_and_run_moves_it(command, executed):
    study, store, records = study_file()
    new = records[1]
    old = TrialRecord(new.id, None, "old_name", new.seed, None, None, new.epochs)
    finish(store, old)
    before = tree()
    code, out, _ = command("plan", study)
    assert code == 0
    assert tree() == before
    assert f"to move: {old.name} to {new.name}" in out
    (line,) = [
        line.split() for line in out.splitlines() if line.startswith(f"{new.setting}/{new.arm}")
    ]
    assert line[-1] == "90.00"
    assert command("run", study)[0] == 0
    assert store.is_done(new.name)
    assert new.name not in executed
