"""The token of a local Ray: a login, which its owner alone may read."""

import os
import subprocess
import sys
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


IMPORTED_BEFORE = """
import os
import ray
from ray._raylet import AuthenticationMode, AuthenticationTokenLoader, get_authentication_mode
from orchestrator.ray_backend.local import prepare, read_environment_again

def what_ray_sends():
    header = AuthenticationTokenLoader.instance().get_token_for_http_header()
    print(get_authentication_mode() == AuthenticationMode.TOKEN, header.get("authorization"))

os.environ["RAY_AUTH_TOKEN"] = "1" * 64
prepare()
what_ray_sends()
read_environment_again()
what_ray_sends()
os.environ["RAY_AUTH_TOKEN"] = "2" * 64
read_environment_again()
what_ray_sends()
"""


def test_a_ray_that_was_imported_before_sends_the_token_of_now():
    environment = os.environ.copy()
    environment.pop("RAY_AUTH_MODE", None)
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED_BEFORE], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "False None",  # it would send none to servers that ask for one
        "True Bearer " + "1" * 64,
        "True Bearer " + "2" * 64,
    ]
