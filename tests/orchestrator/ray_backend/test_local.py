"""The token of a local Ray: a login, which its owner alone may read."""

import os
from pathlib import Path

import pytest

from orchestrator.ray_backend.local import prepare, protect_token, token_file


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(os, "environ", {"HOME": str(tmp_path)})
    prepare()
    return tmp_path


def test_a_new_token_is_its_owners_alone(home):
    before = os.umask(0)
    try:
        protect_token()
    finally:
        os.umask(before)
    file = home / ".ray" / "auth_token"
    assert token_file() == file
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(file.read_text()) == 64


def test_a_token_that_others_can_read_is_closed_and_keeps_its_content(home):
    file = home / ".ray" / "auth_token"
    file.parent.mkdir()
    file.write_text("mine")
    file.chmod(0o644)
    protect_token()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text() == "mine"


def test_a_token_in_the_environment_needs_no_file(home):
    os.environ["RAY_AUTH_TOKEN"] = "mine"
    protect_token()
    assert not (home / ".ray").exists()


def test_a_home_that_cannot_be_written_is_left_to_ray(home):
    (home / ".ray").write_text("a file")
    protect_token()
    assert (home / ".ray").read_text() == "a file"
