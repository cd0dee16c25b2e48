"""The index spares checksums of files that have not changed, and nothing else."""

import os

import pytest

from analysis.results import trial_files
from analysis.results.checked_index import CheckedIndex, digest
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
    assert not CheckedIndex(root).knows("variant/seed=3", digest(path, checksums=True))


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"variant/seed=3": "x"}', b"\xff"])
def test_a_damaged_index_is_like_none(root, content, monkeypatch):
    first = folders(root)
    (root / "checked.json").write_bytes(content)
    checked = count(monkeypatch)
    assert folders(root) == first
    assert len(checked) == 51


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
