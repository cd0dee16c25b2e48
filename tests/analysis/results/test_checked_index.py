"""The index spares opening files that have not changed, and nothing else."""

import os
import threading

import pytest

from analysis.results import checked_index, trial_files
from analysis.results.checked_index import CheckedIndex, Entry, digest
from analysis.results.read import read_results
from analysis.results.study_plan import read_plan
from analysis.results.trial_files import read_folders


@pytest.fixture
def root(study, monkeypatch):
    """A study of 51 finished trials that were written an hour ago."""
    study.arm("baseline", *[70.0] * 30).arm("variant", *[71.0] * 21)
    root = study.write()
    for file in root.rglob("*"):
        os.utime(file, (1e9, 1e9))
    return root


def folders(root):
    return read_folders(root, read_plan(root).records)


def count(monkeypatch, name="read_result"):
    """Count how often a trial is checked."""
    calls = []
    real = getattr(trial_files, name)
    monkeypatch.setattr(trial_files, name, lambda *given: calls.append(given) or real(*given))
    return calls


def test_what_was_checked_is_not_checked_again(root, monkeypatch):
    first = folders(root)
    checked = count(monkeypatch)
    assert folders(root) == first
    assert checked == []
    (root / "checked.json").unlink()
    assert folders(root) == first
    assert len(checked) == 51


def test_no_file_is_opened_whose_time_size_and_inode_are_as_they_were(root):
    first = folders(root)
    for file in root.glob("runs/*/*/*"):
        file.write_bytes(b"x" * file.stat().st_size)
        os.utime(file, (1e9, 1e9))
    assert folders(root) == first


@pytest.mark.parametrize("name", ["summary.json", "metrics.jsonl", "trial.json"])
def test_a_file_that_changes_is_checked_again(root, name):
    folders(root)
    path = root / "runs" / "variant" / "seed=3" / name
    content = path.read_bytes()
    path.write_bytes(content.replace(b"1", b"2", 1))
    assert path.stat().st_size == len(content)
    assert folders(root)["variant/seed=3"].damage
    path.unlink()
    assert folders(root)["variant/seed=3"].summary is None


def test_a_file_that_was_written_just_now_is_not_noted(root):
    path = root / "runs" / "variant" / "seed=3"
    os.utime(path / "summary.json")
    assert digest(path, checksums=True) is None
    folders(root)
    os.utime(path / "summary.json", (1e9, 1e9))
    index = CheckedIndex(root)
    assert index.get("variant/seed=3", digest(path, checksums=True)) is None
    assert index.get("variant/seed=4", digest(path.with_name("seed=4"), checksums=True))


DAMAGES = {
    "empty": lambda content: b"",
    "of the first version": lambda content: b'{"variant/seed=3": "0123456789abcdef"}',
    "no text": lambda content: b"\xff",
    "cut off": lambda content: content[:-100],
    "another accuracy": lambda content: content.replace(b"71.0", b"72.0"),
    "without its first line": lambda content: content.partition(b"\n")[2],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index_is_like_none(root, damage, monkeypatch):
    first = folders(root)
    index = root / "checked.json"
    whole = index.read_bytes()
    index.write_bytes(DAMAGES[damage](whole))
    assert index.read_bytes() != whole
    checked = count(monkeypatch)
    assert folders(root) == first
    assert len(checked) == 51
    assert index.read_bytes() == whole, "it is made anew"


def test_an_index_of_another_version_is_like_none(root, monkeypatch):
    first = folders(root)
    monkeypatch.setattr(checked_index, "VERSION", checked_index.VERSION + 1)
    checked = count(monkeypatch)
    assert folders(root) == first
    assert len(checked) == 51


def test_two_writers_leave_the_index_of_one_of_them(root):
    indices = []
    for name in ("a", "b"):
        index = CheckedIndex(root)
        for k in range(2000):
            index.add(f"{name}/seed={k}", Entry("0123456789abcdef", {}, {}))
        indices.append(index)
    whole = []
    for index in indices:
        index.save()
        whole.append((root / "checked.json").read_bytes())
    writers = [threading.Thread(target=index.save) for index in indices for _ in range(5)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert (root / "checked.json").read_bytes() in whole
    for writer in writers:
        writer.join()


def test_what_is_read_is_the_same_with_and_without_an_index(root):
    files = read_folders(root, read_plan(root).records, indexed=False)
    assert not (root / "checked.json").exists()
    assert folders(root) == files
    assert folders(root) == files


def test_where_nothing_can_be_written_results_are_read_all_the_same(root, monkeypatch):
    def full(path, content):
        raise OSError(28, "no space left on device")

    monkeypatch.setattr("analysis.results.checked_index.replace", full)
    assert len(folders(root)) == 51
    assert not (root / "checked.json").exists()


def test_the_report_is_the_same_with_and_without_an_index(root):
    first = read_results(root).trials
    again = read_results(root).trials
    assert first.equals(again)


def test_a_small_study_has_no_index(study):
    read_results(study.arm("baseline", 70.0).write())
    assert not (study.root / "checked.json").exists()


def test_without_the_index_a_change_that_left_no_trace_is_found(root):
    folders(root)
    path = root / "runs" / "variant" / "seed=3" / "metrics.jsonl"
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    os.utime(path, (1e9, 1e9))
    records = read_plan(root).records
    assert read_folders(root, records)["variant/seed=3"].damage is None
    assert read_folders(root, records, indexed=False)["variant/seed=3"].damage
