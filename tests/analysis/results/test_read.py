"""Reading results folders: states of trials, rows, folders that hold none."""

import json

import pytest

from analysis.results.read import read_results
from analysis.results.study_plan import NoStudy
from trainable.storage.checksums import signed


def states(results):
    return {(t["arm"], t["seed"]): t["state"] for t in results.trials.to_dict("records")}


def test_a_trial_is_done_failed_or_not_run(study):
    study.arm("baseline", 70.0, "failed", "missing")
    assert states(study.read()) == {
        ("baseline", 0): "done",
        ("baseline", 1): "failed",
        ("baseline", 2): "todo",
    }


def test_done_are_the_finished_trials_with_their_summaries(study):
    done = (
        study.arm("baseline", 70.0, "failed", 72.0)
        .arm("variant", "missing", 71.0, 75.5)
        .read()
        .done
    )
    found = {(t["arm"], t["seed"]): t["test/accuracy_last10"] for t in done.to_dict("records")}
    assert found == {
        ("baseline", 0): 70.0,
        ("baseline", 2): 72.0,
        ("variant", 1): 71.0,
        ("variant", 2): 75.5,
    }


def test_trials_stand_in_the_plans_order_with_its_fields(study):
    trials = study.arm("zeta", 1.0, 2.0, family="method.x").arm("baseline", 3.0, 4.0).read().trials
    assert trials[["arm", "seed"]].to_numpy().tolist() == [
        ["zeta", 0],
        ["baseline", 0],
        ["zeta", 1],
        ["baseline", 1],
    ]
    assert trials["family"].iloc[0] == "method.x"
    assert trials["baseline"].iloc[0] == "baseline"
    assert trials["folder"].iloc[0] == "runs/zeta/seed=0"
    assert trials["setting"].eq("").all()


def test_settings_are_named_and_studies_too(study):
    results = (
        study.arm("baseline", 70.0, setting="sym20").arm("baseline", 50.0, setting="sym80").read()
    )
    assert results.trials["setting"].tolist() == ["sym20", "sym80"]
    assert results.study == "small"


def test_a_planned_field_wins_over_a_summarys(study):
    study.arm("baseline", 70.0, change={0: {"arm": "impostor", "seed": 9, "state": "failed"}})
    assert states(study.read()) == {("baseline", 0): "done"}


def test_folders_that_are_not_planned_are_ignored(study):
    root = study.arm("baseline", 70.0).write()
    stray = root / "runs" / "retired" / "seed=0"
    stray.mkdir(parents=True)
    for name in ("trial.json", "summary.json"):
        (stray / name).write_bytes((study.path("baseline", 0) / name).read_bytes())
    results = read_results(root)
    assert states(results) == {("baseline", 0): "done"}
    assert set(results.rows()["arm"]) == {"baseline"}


@pytest.mark.parametrize("end", [70.0, "failed"])
def test_a_trial_of_another_id_is_stale(study, end):
    root = study.arm("baseline", end).arm("variant", 71.0).write()
    (study.path("baseline", 0) / "trial.json").write_text(json.dumps(signed({"id": "another"})))
    assert states(read_results(root)) == {("baseline", 0): "stale", ("variant", 0): "done"}
    assert set(read_results(root).rows()["arm"]) == {"variant"}


def test_a_result_without_its_configuration_is_damaged(study):
    root = study.arm("baseline", 70.0).write()
    (study.path("baseline", 0) / "trial.json").unlink()
    (trial,) = read_results(root).trials.to_dict("records")
    assert (trial["state"], trial["reason"]) == ("damaged", "trial.json is missing")


def test_a_trial_that_finished_after_a_failure_is_done(study):
    root = study.arm("baseline", 70.0).write()
    (study.path("baseline", 0) / "failure.json").write_text('{"kind": "RuntimeError"}')
    assert states(read_results(root)) == {("baseline", 0): "done"}


@pytest.mark.parametrize("content", [b"", b'{"epochs": 3', b"\x00\xff"])
def test_a_damaged_summary_is_no_result(study, content):
    root = study.arm("baseline", 70.0).write()
    (study.path("baseline", 0) / "summary.json").write_bytes(content)
    (trial,) = read_results(root).trials.to_dict("records")
    assert (trial["state"], trial["reason"]) == ("damaged", "summary.json is not JSON")


# --- rows ---


def test_rows_hold_every_epoch_of_every_finished_trial(study):
    study.arm("baseline", 70.0, "failed", epochs=2).arm(
        "variant", 60.0, 61.0, setting="hard", epochs=2
    )
    rows = study.read().rows("test/accuracy")
    found = rows[["setting", "arm", "seed", "epoch", "test/accuracy"]].to_numpy().tolist()
    assert sorted(found) == [
        ["", "baseline", 0, 1, 69.0],
        ["", "baseline", 0, 2, 70.0],
        ["hard", "variant", 0, 1, 59.0],
        ["hard", "variant", 0, 2, 60.0],
        ["hard", "variant", 1, 1, 60.0],
        ["hard", "variant", 1, 2, 61.0],
    ]


def test_rows_hold_the_named_metrics_and_no_others(study):
    rows = study.arm("baseline", 70.0).read().rows("val/accuracy")
    assert set(rows.columns) == {"setting", "arm", "seed", "epoch", "val/accuracy"}


def test_a_metric_that_no_row_has_is_nan(study):
    rows = study.arm("baseline", 70.0).read().rows("test/top5")
    assert len(rows) == 3
    assert rows["test/top5"].isna().all()


def test_rows_of_nothing_finished_have_the_same_columns(study):
    rows = study.arm("baseline", "failed", "missing").read().rows("test/accuracy")
    assert rows.empty
    assert set(rows.columns) == {"setting", "arm", "seed", "epoch", "test/accuracy"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content + b'{"epoch": 4, "test/acc',
        lambda content: content.replace(b"50.0", b"51.0", 1),
        lambda content: b"".join(content.splitlines(keepends=True)[1:]),
        lambda content: b"",
    ],
    ids=["a torn line", "another digit", "a lost line", "nothing"],
)
def test_a_finished_trial_whose_rows_are_not_as_they_were_has_no_result(study, damage):
    root = study.arm("baseline", 70.0).arm("variant", 71.0).write()
    path = study.path("variant", 0) / "metrics.jsonl"
    path.write_bytes(damage(path.read_bytes()))
    found = read_results(root)
    assert states(found) == {("baseline", 0): "done", ("variant", 0): "damaged"}
    assert found.trials["reason"].tolist() == ["", "metrics.jsonl does not match its checksum"]
    assert found.rows("test/accuracy")["arm"].tolist() == ["baseline"] * 3


def test_a_finished_trial_whose_rows_are_lost_has_no_result(study):
    root = study.arm("baseline", 70.0).arm("variant", 71.0).write()
    (study.path("variant", 0) / "metrics.jsonl").unlink()
    found = read_results(root)
    assert found.trials["reason"].tolist() == ["", "metrics.jsonl is missing"]
    assert found.rows("test/accuracy")["arm"].tolist() == ["baseline"] * 3


# --- no results ---


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"3",
        b'{"study": "x"}',
        b'{"trials": []}',
        b'{"study": "x", "trials": null}',
        b'{"study": "x", "trials": [{}]}',
        b'{"study": "x", "trials": [3]}',
        b'{"study": "x", "trials": []}',
    ],
)
def test_an_unreadable_plan_is_no_results(tmp_path, content):
    (tmp_path / "trials.json").write_bytes(content)
    with pytest.raises(NoStudy, match=r"trials\.json") as caught:
        read_results(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_folder_without_a_plan_is_no_results(tmp_path):
    (tmp_path / "runs").mkdir()
    with pytest.raises(NoStudy, match="contains no study results"):
        read_results(tmp_path)


def test_a_folder_that_is_not_there_is_no_results(tmp_path):
    with pytest.raises(NoStudy, match="contains no study results"):
        read_results(tmp_path / "absent")
