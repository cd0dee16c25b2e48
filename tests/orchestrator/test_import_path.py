"""A folder with an `analysis.py` of the user's own: this project's packages are taken all the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.import_path import put_working_folder_last

ROOT = Path(__file__).parents[2]


@pytest.fixture
def changed(monkeypatch):
    """The search path and the environment, put back afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONSAFEPATH", "")


@pytest.mark.parametrize("written", ["", "."])
def test_the_working_folder_comes_last_and_stays_on_the_path(
    written, tmp_path, monkeypatch, changed
):
    monkeypatch.chdir(tmp_path)
    sys.path[:] = [written, "/packages"]
    put_working_folder_last()
    assert sys.path == ["/packages", str(tmp_path)]
    assert os.environ["PYTHONSAFEPATH"] == "1"


def test_a_path_without_the_working_folder_is_not_changed(tmp_path, monkeypatch, changed):
    monkeypatch.chdir(tmp_path)
    sys.path[:] = ["/packages"]
    put_working_folder_last()
    assert sys.path == ["/packages"]


def test_in_the_projects_own_folder_nothing_changes(monkeypatch, changed):
    monkeypatch.chdir(ROOT)
    sys.path[:] = ["", "/packages"]
    put_working_folder_last()
    assert sys.path == ["", "/packages"]
    assert os.environ["PYTHONSAFEPATH"] == ""


def test_a_command_runs_beside_an_own_analysis_module(tmp_path):
    (tmp_path / "analysis.py").write_text("raise SystemExit('the wrong analysis')\n")
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "plan", "ablation"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "trials" in done.stdout


@pytest.mark.parametrize(
    "module",
    [
        "orchestrator.ray_backend.node_check",
        "orchestrator.ray_backend.workers",
        "trainable.ray_trainable",
    ],
)
def test_what_runs_in_processes_of_ray_does_not_import_analysis(module, tmp_path):
    """Ray puts the driver's working folder first on their path."""
    (tmp_path / "analysis.py").write_text("raise SystemExit('the wrong analysis')\n")
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
