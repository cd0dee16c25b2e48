"""Folders for sockets where a batch job's temporary folder has too long a path for them."""

import os
import subprocess
import sys
import tempfile

import pytest

from orchestrator.execution.socket_paths import folder_for_sockets

STUDY = """
name: tiny
seeds: [0]
base: {model: {name: small_cnn, width: 4}, train: {epochs: 2, batch_size: 256}, method: {name: cross_entropy}}
"""


@pytest.mark.parametrize(("length", "name", "expected"), [(76, 30, None), (77, 30, "/tmp")])
def test_a_folder_is_replaced_if_a_socket_below_it_would_be_too_long(
    monkeypatch, length, name, expected
):
    monkeypatch.setattr(tempfile, "tempdir", "/".ljust(length, "x"))
    assert folder_for_sockets(name) == expected


def test_a_study_runs_in_processes_of_this_machine_below_a_long_temporary_folder(tmp_path):
    study = tmp_path / "tiny.yaml"
    study.write_text(STUDY)
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "run", study, "--no-ray", "--results", tmp_path],
        env=os.environ | {"TMPDIR": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert list(folder.iterdir()) == []
