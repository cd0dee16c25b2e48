"""Folders of ended Rays are deleted by the next run, if they are ours."""

import json
import os
from pathlib import Path

from orchestrator.ray_backend.old_sessions import MARK, mark, remove_ended


def session(folder: Path, name: str, content: str | None = None) -> Path:
    place = folder / f"session_{name}"
    (place / "logs").mkdir(parents=True)
    (place / "logs" / "raylet.out").write_text("x")
    if content is not None:
        (place / MARK).write_text(content)
    return place


def test_the_folders_of_ended_runs_are_deleted(tmp_path):
    reused = session(tmp_path, "reused", json.dumps({"pid": os.getpid(), "started": "0"}))
    ended = session(tmp_path, "ended", json.dumps({"pid": 4194304, "started": "1"}))
    remove_ended(tmp_path)
    assert not reused.exists()
    assert not ended.exists()


def test_a_run_that_goes_on_and_other_rays_keep_their_folders(tmp_path):
    mine = session(tmp_path, "mine")
    mark(mine)
    others = [
        session(tmp_path, "other"),
        session(tmp_path, "damaged", "{"),
        session(tmp_path, "list", "[]"),
    ]
    remove_ended(tmp_path)
    assert all((place / "logs" / "raylet.out").exists() for place in [mine, *others])
