"""What is recorded of a run: enough to know where results come from, and nothing private."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.results import provenance


def recorded(root: Path) -> list[dict]:
    return json.loads((root / "provenance.json").read_text())


def test_each_run_is_added_with_versions_and_its_command(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/orchestrator", "run", "a.yaml"])
    for _ in range(2):
        provenance.record(tmp_path)
    first, second = recorded(tmp_path)
    assert first["command"] == second["command"] == ["orchestrator", "run", "a.yaml"]
    assert first["versions"]["torch"]


def test_uncommitted_changes_are_known_by_a_hash_and_not_kept(tmp_path, monkeypatch):
    repository = tmp_path / "code"
    repository.mkdir()
    git = ["git", "-C", str(repository), "-c", "user.name=x", "-c", "user.email=x@x"]
    (repository / "a.py").write_text("a = 1\n")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *arguments], check=True)
    monkeypatch.setattr(provenance, "__file__", str(repository / "a.py"))
    (repository / "a.py").write_text("KEY = 'sk-very-secret'\n" * 100_000)
    provenance.record(tmp_path)
    (repository / "a.py").write_text("a = 1\n")
    provenance.record(tmp_path)
    changed, clean = recorded(tmp_path)
    assert len(changed["uncommitted"]) == 16
    assert clean["uncommitted"] is None
    assert changed["git_revision"] == clean["git_revision"]
    text = (tmp_path / "provenance.json").read_text()
    assert "secret" not in text
    assert str(tmp_path) not in text
    assert len(text) < 10_000


def test_uncommitted_changes_may_have_any_encoding(tmp_path, monkeypatch):
    repository = tmp_path / "code"
    repository.mkdir()
    git = ["git", "-C", str(repository), "-c", "user.name=x", "-c", "user.email=x@x"]
    (repository / "a.py").write_bytes(b"a = 1\n")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *arguments], check=True)
    (repository / "a.py").write_bytes(b"a = 1  # \xe4\n")
    monkeypatch.setattr(provenance, "__file__", str(repository / "a.py"))
    provenance.record(tmp_path)
    assert len(recorded(tmp_path)[0]["uncommitted"]) == 16


def test_passwords_in_addresses_are_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["o", "run", "--data", "https://me:pa55@host/data"])
    provenance.record(tmp_path)
    assert recorded(tmp_path)[0]["command"][-1] == "https://…@host/data"


@pytest.mark.parametrize("content", [b"7", b"{}", b'"text"', b"[", b"\xff", b""])
def test_a_damaged_file_is_kept_and_the_run_recorded(tmp_path, content):
    (tmp_path / "provenance.json").write_bytes(content)
    provenance.record(tmp_path)
    assert len(recorded(tmp_path)) == 1
    assert (tmp_path / "provenance.damaged").read_bytes() == content
