"""A trial's folder: rows, checkpoints, its owner, and what a crash at any moment leaves behind."""

import contextlib
import json
import os
import re
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.orchestrator.folders import SUMMARY
from trainable.storage.checksums import FORMAT
from trainable.storage.trial_folder import LostFolder, TrialFolder


@pytest.fixture
def folder(tmp_path) -> TrialFolder:
    claimed = TrialFolder(tmp_path / "arm" / "seed=0")
    claimed.claim()
    return claimed


def contents(folder: TrialFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.path.iterdir()}


def newest(folder: TrialFolder) -> bytes | None:
    return next(folder.load_checkpoints(), None)


def row(epoch: int) -> dict[str, Any]:
    return {"epoch": epoch, "phase": "warmup", "test/accuracy": 0.1 * epoch}


# --- small files ---


def test_an_empty_folder_knows_nothing(tmp_path):
    folder = TrialFolder(tmp_path / "absent")
    assert (folder.trial, folder.summary, folder.failure, folder.owner, folder.rows()) == (
        None,
        None,
        None,
        None,
        [],
    )
    assert not folder.has_checkpoint
    assert list(folder.load_checkpoints()) == []
    assert not folder.path.exists()  # reading makes nothing


def test_json_files_come_back_as_they_were_written(folder):
    content = {"id": "abc", "x": 0.1 + 0.2, "deep": [1, None, {"ä": True}]}
    folder.write_json("trial.json", content)
    assert TrialFolder(folder.path).trial == content
    summary = {**content, **SUMMARY}
    folder.finish(summary)
    assert TrialFolder(folder.path).summary == summary
    failure = {**content, "kind": "k", "message": "m", "retry": True, "attempts": 1}
    folder.write_json("failure.json", failure)
    assert TrialFolder(folder.path).failure == failure


def test_writing_replaces_and_leaves_no_other_file(folder):
    folder.write("model.pt", b"old, and longer")
    folder.write("model.pt", b"new")
    assert set(contents(folder)) == {"owner.json", "model.pt"}
    assert contents(folder)["model.pt"] == b"new"


def test_remove_deletes_what_is_there(folder):
    folder.write("failure.json", b"{}")
    folder.remove("failure.json", "absent.json")
    assert set(contents(folder)) == {"owner.json"}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_json_does_not_have_are_refused_before_anything_is_written(folder, value):
    folder.write_json("summary.json", {"a": 1})
    folder.append_row(row(1))
    folder.save_checkpoint(b"state")
    before = contents(folder)
    for write in (
        lambda: folder.write_json("summary.json", {"a": [value]}),
        lambda: folder.append_row({"epoch": 2, "loss": value}),
        lambda: folder.finish({"deep": {"a": value}}),
    ):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write()
        assert contents(folder) == before


def test_the_log_has_one_line_with_the_time_for_each_message(folder):
    folder.log("first")
    folder.log("zweite ä")
    lines = contents(folder)["train.log"].decode().splitlines()
    assert [line[20:] for line in lines] == ["first", "zweite ä"]
    assert all(line[4] == "-" and line[13] == ":" for line in lines)


# --- rows ---


def test_rows_come_back_in_order_with_every_digit(folder):
    rows = [row(epoch) | {"x": 1 / 3} for epoch in (1, 2, 3)]
    for each in rows:
        folder.append_row(each)
    assert TrialFolder(folder.path).rows() == rows


@pytest.mark.parametrize("cut", [1, 2, 10, 40])
def test_a_last_row_that_was_cut_short_is_left_out(folder, cut):
    for epoch in (1, 2, 3):
        folder.append_row(row(epoch))
    file = folder.path / "metrics.jsonl"
    file.write_bytes(file.read_bytes()[:-cut])
    assert folder.rows() == [row(1), row(2)]


def test_a_damaged_row_in_the_middle_does_not_hide_the_others(folder):
    for epoch in (1, 2, 3):
        folder.append_row(row(epoch))
    file = folder.path / "metrics.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + b"\x00\xff{\n" + lines[2])
    assert folder.rows() == [row(1), row(3)]


@pytest.mark.parametrize("kept", [0, 1, 3, 9])
def test_keep_rows_drops_those_past_the_checkpoint(folder, kept):
    for epoch in (1, 2, 3):
        folder.append_row(row(epoch))
    before = contents(folder)["metrics.jsonl"].splitlines()
    folder.keep_rows(kept)
    assert folder.rows() == [row(epoch) for epoch in (1, 2, 3) if epoch <= kept]
    assert contents(folder)["metrics.jsonl"].splitlines() == before[:kept]  # the same bytes


def test_a_torn_row_does_not_spoil_the_next_one_after_keep_rows(folder):
    folder.append_row(row(1))
    with (folder.path / "metrics.jsonl").open("ab") as file:
        file.write(b'{"epoch": 2, "pha')
    folder.keep_rows(1)
    folder.append_row(row(2))
    assert folder.rows() == [row(1), row(2)]


def test_keep_rows_without_rows_gives_none(folder):
    folder.keep_rows(5)
    assert folder.rows() == []


# --- checkpoints ---


def test_checkpoints_rotate_and_the_last_two_are_kept(folder):
    assert not folder.has_checkpoint
    for state in (b"one", b"two\nwith\nlines", b"three" * 1000):
        folder.save_checkpoint(state)
    assert folder.has_checkpoint
    assert list(folder.load_checkpoints()) == [b"three" * 1000, b"two\nwith\nlines"]
    assert set(contents(folder)) == {"owner.json", "checkpoint.pt", "checkpoint.prev.pt"}


@pytest.mark.parametrize("state", [b"", b"\n", bytes(range(256))])
def test_any_bytes_are_a_state(folder, state):
    folder.save_checkpoint(state)
    assert list(folder.load_checkpoints()) == [state]


def damage_by_truncation(content: bytes) -> Iterator[bytes]:
    yield from (content[:length] for length in (0, 5, 60, 92, 93, len(content) - 1))


def damage_by_flipping(content: bytes) -> Iterator[bytes]:
    for position in (0, 30, 91, 92, 93, len(content) - 1):
        yield content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


@pytest.mark.parametrize("damage", [damage_by_truncation, damage_by_flipping])
def test_a_damaged_newest_checkpoint_is_renamed_and_the_previous_one_is_used(folder, damage):
    folder.save_checkpoint(b"old state")
    folder.save_checkpoint(b"new state")
    whole = contents(folder)
    for content in damage(whole["checkpoint.pt"]):
        (folder.path / "checkpoint.pt").write_bytes(content)
        assert list(folder.load_checkpoints()) == [b"old state"]
        after = contents(folder)
        assert "checkpoint.pt" not in after
        assert after["checkpoint.damaged"] == content
        line = after["train.log"].decode().splitlines()[-1]
        assert re.search(r"checkpoint\.pt .*checksum.* checkpoint\.damaged", line)
        assert after["checkpoint.prev.pt"] == whole["checkpoint.prev.pt"]


def test_a_damaged_checkpoint_never_becomes_the_one_before(folder):
    folder.save_checkpoint(b"old state")
    folder.save_checkpoint(b"new state")
    (folder.path / "checkpoint.pt").write_bytes(b"damaged")
    assert newest(folder) == b"old state"
    folder.save_checkpoint(b"newer state")
    assert list(folder.load_checkpoints()) == [b"newer state", b"old state"]


def test_two_damaged_checkpoints_leave_nothing_to_go_on_from(folder):
    folder.save_checkpoint(b"old state")
    folder.save_checkpoint(b"new state")
    for name in ("checkpoint.pt", "checkpoint.prev.pt"):
        (folder.path / name).write_bytes(b"damaged")
    assert list(folder.load_checkpoints()) == []
    assert not folder.has_checkpoint
    assert {"checkpoint.damaged", "checkpoint.prev.damaged"} <= set(contents(folder))


def test_whole_checkpoints_can_be_read_without_a_claim(folder):
    folder.save_checkpoint(b"state")
    before = contents(folder)
    assert newest(TrialFolder(folder.path)) == b"state"
    assert contents(folder) == before


# --- owner ---

WRITES: dict[str, Callable[[TrialFolder], Any]] = {
    "write": lambda folder: folder.write("model.pt", b"x"),
    "write_json": lambda folder: folder.write_json("summary.json", {}),
    "remove": lambda folder: folder.remove("trial.json"),
    "log": lambda folder: folder.log("x"),
    "append_row": lambda folder: folder.append_row(row(9)),
    "keep_rows": lambda folder: folder.keep_rows(0),
    "save_checkpoint": lambda folder: folder.save_checkpoint(b"x"),
    "fail": lambda folder: folder.fail("kind", "message", traceback="", retry=False),
    "set_aside": lambda folder: folder.set_aside("trial.json"),
    "finish": lambda folder: folder.finish({}),
}


def fill(folder: TrialFolder) -> None:
    folder.write_json("trial.json", {"id": "abc", "format": FORMAT})
    folder.append_row(row(1))
    folder.save_checkpoint(b"old state")
    folder.save_checkpoint(b"new state")


def test_the_owner_is_named_with_host_and_process(folder):
    owner = TrialFolder(folder.path).owner
    assert owner is not None
    assert owner["pid"] == os.getpid()
    assert owner.keys() == {"token", "host", "pid", "since"}


def test_every_writing_method_is_tried_here():
    reading = {
        "load_checkpoints",
        "rows",
        "owner",
        "trial",
        "summary",
        "failure",
        "stopped",
        "has_checkpoint",
    }
    by_anybody = {"claim", "release", "stop"}  # a search stops a trial that an actor owns
    public = {name for name in vars(TrialFolder) if not name.startswith("_")}
    assert public - reading - by_anybody == set(WRITES)


@pytest.mark.parametrize("name", WRITES)
def test_a_second_claim_makes_the_first_ones_writes_fail_without_a_trace(folder, name):
    fill(folder)
    second = TrialFolder(folder.path)
    second.claim()
    before = contents(folder)
    with pytest.raises(LostFolder, match=re.escape(str(folder.path))):
        WRITES[name](folder)
    assert contents(folder) == before
    WRITES[name](second)  # the new owner may
    assert contents(folder) != before


@pytest.mark.parametrize("name", ["write", "keep_rows", "save_checkpoint", "finish"])
def test_a_claim_in_the_middle_of_a_write_takes_the_folder_and_is_no_missing_file(
    folder, name, monkeypatch
):
    """The new owner deletes what the old one was writing, before it is renamed."""
    fill(folder)
    second, moved = TrialFolder(folder.path), Path.replace

    def claimed_first(path: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", moved)
        second.claim()
        return moved(path, target)

    monkeypatch.setattr(Path, "replace", claimed_first)
    with pytest.raises(LostFolder, match=re.escape(str(folder.path))):
        WRITES[name](folder)
    assert second.rows() == [row(1)]
    assert next(iter(second.load_checkpoints())) in (b"old state", b"new state")


@pytest.mark.parametrize("name", WRITES)
def test_a_folder_that_was_moved_is_lost_and_not_made_anew(folder, name):
    fill(folder)
    folder.path.rename(folder.path.with_name("moved"))
    with pytest.raises(LostFolder, match="was deleted or moved"):
        WRITES[name](folder)
    assert not folder.path.exists()


@pytest.mark.parametrize("name", WRITES)
def test_writing_needs_a_claim(folder, name):
    fill(folder)
    before = contents(folder)
    with pytest.raises(LostFolder):
        WRITES[name](TrialFolder(folder.path))
    assert contents(folder) == before


@pytest.mark.parametrize("name", WRITES)
def test_writing_fails_after_the_folder_was_given_up(folder, name):
    fill(folder)
    folder.release()
    assert folder.owner is None
    with pytest.raises(LostFolder):
        WRITES[name](folder)


def test_the_first_owner_gives_up_only_what_is_still_its_own(folder):
    second = TrialFolder(folder.path)
    second.claim()
    folder.release()
    second.write("model.pt", b"still mine")
    assert folder.owner == second.owner is not None


def test_an_unreadable_owner_file_stops_the_writer(folder):
    (folder.path / "owner.json").write_bytes(b'{"tok')
    with pytest.raises(LostFolder):
        folder.write("model.pt", b"x")


@pytest.mark.parametrize("claim", ["lost", "none"])
def test_a_damaged_checkpoint_is_not_moved_by_who_does_not_own_the_folder(folder, claim):
    fill(folder)
    (folder.path / "checkpoint.pt").write_bytes(b"damaged")
    other = TrialFolder(folder.path)
    if claim == "lost":
        other.claim()
        folder.claim()
    before = contents(folder)
    with contextlib.suppress(LostFolder):
        list(other.load_checkpoints())
    assert contents(folder) == before


# --- end ---


def test_finishing_writes_the_summary_and_then_deletes_checkpoints_and_failure(folder, monkeypatch):
    fill(folder)
    folder.write_json("failure.json", {"kind": "data"})
    there = []
    unlink = Path.unlink

    def watched(path: Path, missing_ok: bool = False) -> None:
        there.append((folder.path / "summary.json").exists())
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", watched)
    folder.finish(SUMMARY)
    assert there
    assert all(there)
    assert folder.summary == SUMMARY
    assert set(contents(folder)) == {"owner.json", "trial.json", "metrics.jsonl", "summary.json"}


def test_a_trial_whose_summary_cannot_be_written_keeps_its_checkpoints(folder):
    fill(folder)
    with pytest.raises(TypeError):
        folder.finish({"x": object()})
    assert folder.summary is None
    assert newest(folder) == b"new state"


# --- crashes ---


class Crash(Exception):
    """In place of a power failure or a full disk."""


def crash_at(monkeypatch: pytest.MonkeyPatch, call: int) -> Callable[[], int]:
    """Let the `call`-th flush or rename fail, and all after it. Returns a count of the calls so far."""
    calls = 0

    def breaking(original: Callable[..., Any]) -> Callable[..., Any]:
        def tried(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls >= call:
                raise Crash
            return original(*args, **kwargs)

        return tried

    monkeypatch.setattr(os, "fsync", breaking(os.fsync))
    monkeypatch.setattr(Path, "replace", breaking(Path.replace))
    monkeypatch.setattr(Path, "unlink", breaking(Path.unlink))
    return lambda: calls


def crashes(act: Callable[[TrialFolder], Any], parent: Path) -> Iterator[tuple[int, TrialFolder]]:
    """A fresh, filled folder after `act` crashed at each of its flushes, renames and deletions in turn."""
    for call in range(1, 20):
        folder = TrialFolder(parent / str(call))
        folder.claim()
        fill(folder)
        with pytest.MonkeyPatch.context() as patch:
            calls = crash_at(patch, call)
            try:
                act(folder)
            except Crash:
                crashed = True
            else:
                crashed = False
                assert calls() == call - 1
        if not crashed:
            assert call > 1, "nothing is flushed at all"
            return
        yield call, TrialFolder(folder.path)
    raise AssertionError("more calls than expected")


def test_a_crash_leaves_a_file_old_or_new_but_whole(tmp_path):
    content = {"id": "new", "long": "x" * 10_000}
    states = [
        folder.trial
        for _, folder in crashes(lambda folder: folder.write_json("trial.json", content), tmp_path)
    ]
    assert len(states) == 3  # the file's flush, the rename, the folder's flush
    before = {"id": "abc", "format": FORMAT}
    assert states == [before, before, content]


def test_a_crash_while_saving_leaves_a_whole_checkpoint_to_go_on_from(tmp_path):
    ends = []
    for _, folder in crashes(lambda folder: folder.save_checkpoint(b"newest state"), tmp_path):
        states = list(folder.load_checkpoints())
        assert not any(path.suffix == ".damaged" for path in folder.path.iterdir())
        ends.append(states)
    assert len(ends) == 4
    assert ends[:2] == [[b"new state", b"old state"]] * 2
    assert ends[2] == [b"new state"]  # between the two renames
    assert ends[3] == [b"newest state", b"new state"]


def test_a_crash_while_dropping_rows_leaves_all_or_the_wanted_ones(tmp_path):
    def act(folder: TrialFolder) -> None:
        folder.keep_rows(0)

    assert [folder.rows() for _, folder in crashes(act, tmp_path)] == [[row(1)], [row(1)], []]


def test_a_crash_while_appending_a_row_leaves_the_rows_before_it(tmp_path):
    for _, folder in crashes(lambda folder: folder.append_row(row(2)), tmp_path):
        assert folder.rows()[:1] == [row(1)]
        assert folder.rows() in ([row(1)], [row(1), row(2)])


def test_a_crash_while_finishing_leaves_a_summary_or_a_checkpoint(tmp_path):
    done = []
    for _, folder in crashes(lambda folder: folder.finish(SUMMARY), tmp_path):
        done.append(folder.summary is not None)
        if folder.summary is None:
            assert list(folder.load_checkpoints()) == [b"new state", b"old state"]
        else:
            assert folder.summary == SUMMARY
    assert done == sorted(done)  # once done, always done
    assert {True, False} == set(done)


def test_a_crash_while_claiming_leaves_one_whole_owner(tmp_path):
    for _, folder in crashes(lambda folder: TrialFolder(folder.path).claim(), tmp_path):
        assert folder.owner is not None
        assert len(folder.owner["token"]) == 16


def test_after_a_crash_the_next_attempt_resumes(tmp_path):
    for _, folder in crashes(lambda folder: folder.save_checkpoint(b"newest state"), tmp_path):
        folder.claim()
        folder.save_checkpoint(b"after the crash")
        assert newest(folder) == b"after the crash"


def test_rows_are_flushed_before_append_returns(folder, monkeypatch):
    flushed = []
    fsync = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda file: flushed.append(os.fstat(file).st_size) or fsync(file)
    )
    folder.append_row(row(1))
    assert flushed == [len(json.dumps(row(1))) + 1]


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: folder.append_row({"epoch": 1}),
        lambda folder: folder.log("a line"),
        lambda folder: folder.write_json("summary.json", {}),
        lambda folder: folder.save_checkpoint(b"state"),
    ],
    ids=["row", "log", "file", "checkpoint"],
)
def test_an_error_of_a_full_disk_names_the_file(tmp_path, write):
    folder = TrialFolder(tmp_path / "trial")
    folder.claim()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(OSError, match=re.escape(str(folder.path))):
            write(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
