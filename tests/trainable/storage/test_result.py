"""A result is used if it and its files are as they were written, and not otherwise."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.orchestrator.folders import SUMMARY
from trainable.storage.checksums import FORMAT, Damaged, read_signed, signed
from trainable.storage.result import check_stopped, check_weights, read_result
from trainable.storage.trial_folder import TrialFolder


def finished(path: Path, **about: Any) -> Path:
    folder = TrialFolder(path)
    folder.claim()
    folder.write_json("trial.json", {"id": "a", **about})
    for epoch in (1, 2):
        folder.append_row({"epoch": epoch, "test/accuracy": 40.0 * epoch})
    folder.write("samples.npz", b"samples")
    folder.write("model.pt", b"weights")
    folder.finish({**SUMMARY, "test/accuracy_last10": 60.0, "epochs": 2})
    folder.release()
    return path


def changed(path: Path, change: Callable[[dict[str, Any]], object], sign: bool = True) -> None:
    """Change a JSON file, with a right checksum or with none."""
    content = read_signed(path)
    change(content)
    path.write_text(json.dumps(signed(content) if sign else content))


def test_a_whole_result_is_its_summary_without_checksums(tmp_path):
    path = finished(tmp_path / "t", format=FORMAT)
    assert read_result(path, compulsory=True) == {
        **SUMMARY,
        "test/accuracy_last10": 60.0,
        "epochs": 2,
    }
    check_weights(path)
    assert read_result(tmp_path / "nothing") is None


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("metrics.jsonl", "does not match its checksum"),
        ("samples.npz", "does not match its checksum"),
        ("summary.json", "is not JSON"),
        ("trial.json", "is not JSON"),
    ],
)
def test_a_file_that_was_changed_is_named(tmp_path, name, damage):
    path = finished(tmp_path / "t", format=FORMAT)
    (path / name).write_bytes(b"{" + (path / name).read_bytes())
    with pytest.raises(Damaged, match=f"{name} {damage}"):
        read_result(path)


@pytest.mark.parametrize("name", ["metrics.jsonl", "trial.json"])
def test_a_file_that_is_missing_is_named(tmp_path, name):
    path = finished(tmp_path / "t", format=FORMAT)
    (path / name).unlink()
    with pytest.raises(Damaged, match=f"{name} is missing"):
        read_result(path)


def test_weights_are_checked_on_demand_and_may_be_absent(tmp_path):
    path = finished(tmp_path / "t", format=FORMAT)
    (path / "model.pt").write_bytes(b"other")
    assert read_result(path) is not None
    with pytest.raises(Damaged, match=r"model\.pt does not match"):
        check_weights(path)
    (path / "model.pt").unlink()
    check_weights(path)


@pytest.mark.parametrize("name", ["trial.json", "summary.json"])
def test_a_checksum_that_was_deleted_is_damage_where_checksums_are_compulsory(tmp_path, name):
    path = finished(tmp_path / "t", format=FORMAT)
    changed(path / name, lambda content: None, sign=False)
    if name == "summary.json":
        with pytest.raises(Damaged, match="has no checksum"):
            read_result(path)
    with pytest.raises(Damaged, match="has no checksum"):
        read_result(path, compulsory=True)


CHANGES = {
    "no accuracy": lambda summary: summary.pop("test/accuracy_last10"),
    "text": lambda summary: summary.update({"test/accuracy_last10": "x"}),
    "not a number": lambda summary: summary.update({"time/epoch_s": float("nan")}),
    "no data": lambda summary: summary.pop("data_hash"),
    "noise rate": lambda summary: summary.update(noise_rate="x"),
    "files": lambda summary: summary.update(files=[1]),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("checksums", [{}, {"format": FORMAT}])
def test_a_summary_of_another_shape_is_damaged_whatever_its_checksum(tmp_path, change, checksums):
    path = finished(tmp_path / "t", **checksums)
    changed(path / "summary.json", CHANGES[change])
    with pytest.raises(Damaged, match=r"summary\.json"):
        read_result(path)


def older(path: Path) -> Path:
    """A result from before there were checksums."""
    finished(path)
    for name in ("trial.json", "summary.json"):
        changed(path / name, lambda content: content.pop("files", None), sign=False)
    return path


def test_an_older_result_is_read_if_its_rows_are_those_of_its_summary(tmp_path):
    path = older(tmp_path / "t")
    assert read_result(path) is not None
    with pytest.raises(Damaged, match=r"trial\.json has no checksum"):
        read_result(path, compulsory=True)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"epoch": 1, "test/accuracy": 40.0}], "has 1 rows of 2 epochs"),
        ([{"epoch": 2, "test/accuracy": 80.0}], "row 1 is not that of epoch 1"),
        (
            [{"epoch": 1, "test/accuracy": 40.0}, {"epoch": 2, "test/accuracy": 81.0}],
            "is 60.0 in summary.json, and 81.0 in metrics.jsonl",
        ),
        (
            [{"epoch": 1, "test/accuracy": "x"}, {"epoch": 2, "test/accuracy": 80.0}],
            "row 1 is not that of epoch 1",
        ),
    ],
)
def test_an_older_result_with_other_rows_is_damaged(tmp_path, rows, words):
    path = older(tmp_path / "t")
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(Damaged, match=words):
        read_result(path)


def test_rows_of_a_stopped_trial_are_those_that_a_search_saw(tmp_path):
    folder = TrialFolder(tmp_path / "t")
    folder.claim()
    folder.write_json("trial.json", {"id": "a", "format": FORMAT})
    for epoch in (1, 2):
        folder.append_row({"epoch": epoch, "val/accuracy": 10.0})
    folder.stop(2, "asha")
    folder.append_row({"epoch": 3, "val/accuracy": 10.0})  # it noticed an epoch later
    check_stopped(folder.path)
    rows = folder.path / "metrics.jsonl"
    rows.write_bytes(rows.read_bytes().replace(b"10.0", b"90.0", 1))
    with pytest.raises(Damaged, match=r"metrics\.jsonl does not match"):
        check_stopped(folder.path)
