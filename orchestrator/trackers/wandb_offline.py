"""Export to files of Weights & Biases, which `wandb sync` uploads from a machine with access.

A run's file cannot grow after its end. So a run is written once its trials have ended, and an arm's
run again if its numbers or its files change. Ids of runs follow from their keys: what is uploaded
again replaces the run. `exported.json` in the folder has the checksum of each run's content.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator.trackers.content import ArmRun, SeedRun, StudyContent, metrics_of
from orchestrator.trackers.outcome import Exported, TrackerDown
from trainable.storage.checksums import (
    Damaged,
    content_checksum,
    file_checksum,
    read_signed,
    signed,
)
from trainable.storage.trial_folder import replace

INDEX = "exported.json"
"""In the folder: key of a run → checksum of the content that was written."""
FOLDER = "wandb"
"""In the folder: what the library writes, one folder a run."""


def export(content: StudyContent, place: str) -> Exported:
    """Write the ended runs of a study that are not there, or have changed.

    Args:
        content: the study.
        place: the folder; `wandb sync PLACE/wandb/offline-run-*` uploads it.

    Raises:
        TrackerDown: the folder cannot be written, or the library refuses a run.
    """
    import wandb

    folder = Path(place)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _Export(folder, content).run()
    except OSError as error:
        raise TrackerDown(f"{error.filename or place}: {error.strerror}") from None
    except wandb.errors.Error as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise TrackerDown(f"{place}: Weights & Biases: {reason[:200]}") from None


class _Export:
    """One export of a study to a folder."""

    def __init__(self, folder: Path, content: StudyContent):
        self._folder = folder
        self._content = content
        self._written: dict[str, str] = _read_index(folder)
        self._new = 0
        self._changed = 0

    def run(self) -> Exported:
        """Write the runs."""
        for arm in self._content.arms:
            for seed in arm.seeds:
                if seed.status != "running":
                    about: list[Any] = [seed.status, seed.config, seed.rows, seed.summary]
                    about.append(_checksums(seed.files))
                    self._write(seed.key, about, partial(self._seed, arm, seed))
            if arm.ended:
                about = [arm.numbers, arm.verdict, arm.sentence, arm.config]
                about.append(_checksums(arm.files))
                self._write(arm.key, about, partial(self._arm, arm))
        return Exported(self._new, self._changed)

    def _write(self, key: str, about: Any, write: Callable[[], None]) -> None:
        """Write a run unless the folder has it with this content."""
        checksum = content_checksum(about)
        if self._written.get(key) == checksum:
            return
        known = key in self._written
        # Also what an export has begun and not ended.
        for path in (self._folder / FOLDER).glob(f"offline-run-*-{key}"):
            shutil.rmtree(path)
        write()
        self._written[key] = checksum
        replace(self._folder / INDEX, json.dumps(signed(self._written)).encode())
        self._changed += known
        self._new += not known

    def _seed(self, arm: ArmRun, seed: SeedRun) -> None:
        run = self._begun(seed.key, f"{arm.name}/{seed.name}", arm.name, "seed", seed.config)
        for row in seed.rows:
            run.log(metrics_of(row), step=row["epoch"])
        run.summary.update(seed.summary)
        _add_files(run, seed.files)
        run.finish(exit_code=int(seed.status == "failed"))

    def _arm(self, arm: ArmRun) -> None:
        run = self._begun(arm.key, arm.name, arm.name, "arm", arm.config)
        run.summary.update({**arm.numbers, "verdict": arm.verdict, "sentence": arm.sentence})
        _add_files(run, arm.files)
        run.finish()

    def _begun(self, key: str, name: str, group: str, kind: str, config: dict[str, Any]) -> Any:
        """Return a new run of the library."""
        import wandb

        settings = wandb.Settings(
            silent=True, console="off", disable_git=True, disable_code=True, x_disable_stats=True
        )
        return wandb.init(
            project=self._content.name,
            id=key,
            name=name,
            group=group,
            job_type=kind,
            config=config,
            dir=str(self._folder),
            mode="offline",
            reinit="create_new",
            settings=settings,
        )


def _checksums(files: Mapping[str, Path]) -> dict[str, str]:
    """Return name → checksum of files."""
    return {name: file_checksum(path) for name, path in files.items()}


def _add_files(run: Any, files: Mapping[str, Path]) -> None:
    """Copy files to the run's folder, from which they are uploaded."""
    for name, path in files.items():
        copy = Path(run.dir) / name
        shutil.copyfile(path, copy)
        run.save(str(copy), base_path=run.dir, policy="now")


def _read_index(folder: Path) -> dict[str, str]:
    """Return the index; empty if there is none, or a damaged one: all runs are then written."""
    try:
        return dict(read_signed(folder / INDEX))
    except (FileNotFoundError, Damaged):
        return {}
