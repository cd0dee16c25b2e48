"""Every audit is tried in an empty folder."""

from pathlib import Path

import pytest

from analysis.audit import witnesses


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to work in, and nothing that has to survive a power cut."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


@pytest.fixture
def able_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of three epochs may state numbers, probabilities and suggestions."""
    monkeypatch.setattr(witnesses, "COUNTS", 0.0)
    monkeypatch.setattr(witnesses, "SUGGESTIONS", 0.0)
    monkeypatch.setattr(witnesses, "doubtful_classes", lambda tables, classes: ())
