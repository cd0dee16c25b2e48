"""Lineage of Ray Tune's trials: folders of trials that continue the checkpoint of another trial.

Population-based training replaces a trial's weights by those of a better trial, and changes its
configuration. What follows is not a result of the new configuration alone. It is a *segment*: it
has a folder of its own in the folder of Tune's trial, an id that depends on what it continues, and
the rows of the epochs that it has trained. The first segment is an ordinary trial: its folder is
that of Tune's trial, and its id is the `trial_id` of its configuration. The id of any other segment
is no `trial_id`, so no study counts it as one of its trials.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trainable.config.trial import SCHEMA, TrialConfig, trial_id
from trainable.errors import TrialError
from trainable.storage import names
from trainable.storage.checksums import FORMAT, read_signed, signed
from trainable.storage.rows import read_rows, rows_text
from trainable.storage.trial_folder import TrialFolder

ABOUT = "lineage.json"
"""In a checkpoint of Tune: what the checkpoint is of."""
ROWS = "rows.jsonl"
"""In a checkpoint of Tune: all rows up to its epoch."""
STATE = "state.pt"
"""In a checkpoint of Tune: the state of the trial; absent if the trial was already completed."""
FIXED = ("data", "noise", "model", "seed", "from_arm")
"""Fields that a segment shares with the trial that it continues, and also `method.name`."""


class OtherTrial(TrialError):
    """A folder or a checkpoint is that of another trial."""

    kind = "lineage"


@dataclass(frozen=True)
class Origin:
    """Where a segment begins.

    Attributes:
        id: id of the segment that it continues.
        trial: name of the Tune trial of that segment.
        folder: folder of that segment in its Tune trial; "": the first segment.
        epoch: the last epoch of that segment which this one builds on.
    """

    id: str
    trial: str
    folder: str
    epoch: int


@dataclass(frozen=True)
class Segment:
    """A folder and where its epochs begin; the first segment has no origin."""

    folder: Path
    origin: Origin | None = None


@dataclass(frozen=True)
class Checkpoint:
    """Content of a checkpoint of Tune.

    Attributes:
        origin: the segment and the epoch.
        config: the trial's configuration as plain data.
        rows: all rows up to the epoch, those of earlier segments included.
        state: the trial's state; None: the trial was already completed.
    """

    origin: Origin
    config: dict[str, Any]
    rows: list[dict[str, Any]]
    state: bytes | None

    def write(self, folder: Path) -> None:
        """Write the checkpoint to a folder."""
        about = {"origin": asdict(self.origin), "config": self.config}
        (folder / ABOUT).write_text(json.dumps(signed(about)))
        (folder / ROWS).write_bytes(rows_text(self.rows))
        if self.state is not None:
            (folder / STATE).write_bytes(self.state)

    @classmethod
    def read(cls, folder: Path) -> "Checkpoint":
        """Read a checkpoint from a folder."""
        about = read_signed(folder / ABOUT, compulsory=True)
        state = None
        if (folder / STATE).exists():
            state = (folder / STATE).read_bytes()
        rows = read_rows(folder, ROWS)
        return cls(Origin(**about["origin"]), about["config"], rows, state)


def identity(config: TrialConfig, origin: Origin | None) -> str:
    """Return the id of a segment; of a first segment it is the `trial_id` of its configuration."""
    if origin is None:
        return trial_id(config)
    content = [trial_id(config), origin.id, origin.epoch]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def description(config: TrialConfig, origin: Origin | None) -> dict[str, Any]:
    """Return what `trial.json` says of a trial before it is trained."""
    about: dict[str, Any] = {
        "id": identity(config, origin),
        "schema": SCHEMA,
        "config": config.model_dump(),
        "format": FORMAT,
    }
    if origin is not None:
        about["lineage"] = asdict(origin)
    return about


def current_segment(root: Path, config: TrialConfig) -> Segment:
    """Return the newest segment of a Tune trial with this configuration.

    Args:
        root: folder of the Tune trial.
        config: its configuration.

    Raises:
        OtherTrial: the folder only has segments with other configurations.
    """
    found = list(_segments(root))
    if not found:
        return Segment(root)
    for segment, known in reversed(found):
        if known == identity(config, segment.origin):
            return segment
    raise OtherTrial(
        f"{root} holds another trial ({found[0][1]}), not {trial_id(config)}. Use another `name` "
        "or `storage_path` in RunConfig"
    )


def continued_segment(root: Path, config: TrialConfig, checkpoint: Checkpoint) -> Segment:
    """Return the segment that trains on from a checkpoint; a new one if there is none.

    A checkpoint of one of this trial's segments, with its configuration, begins no new one: the
    trial has been paused or restarted, and the segment's folder says how far it has come.

    Args:
        root: folder of the Tune trial.
        config: its configuration.
        checkpoint: what Tune restores.

    Raises:
        OtherTrial: the configuration differs in what a checkpoint cannot change.
    """
    found = list(_segments(root))
    for segment, known in found:
        if known == checkpoint.origin.id == identity(config, segment.origin):
            return segment
    origin = checkpoint.origin
    for segment, known in found:
        if segment.origin == origin and known == identity(config, origin):
            _begin(segment, config, checkpoint)
            return segment
    number = max(map(_number, _segment_folders(root)), default=0) + 1
    new = Segment(root / names.SEGMENT.format(number=number), origin)
    _begin(new, config, checkpoint)
    return new


def why_unfinished(folder: Path) -> str:
    """Return how far an unfinished trial has come, to end a sentence with; "" if it is no trial."""
    trial = TrialFolder(folder)
    if trial.trial is None:
        return ""
    segments = _segment_folders(folder)
    if segments:
        return f": population-based training continued another trial in {segments[-1].name}"
    rows = trial.rows()
    epochs = trial.trial.get("config", {}).get("train", {}).get("epochs")
    done = rows[-1]["epoch"] if rows else 0
    return f": it has {done} of {epochs} epochs, because it was stopped, or has not ended"


def _segments(root: Path) -> Iterator[tuple[Segment, str]]:
    """Yield the segments of a Tune trial with their ids, in the order in which they began."""
    for path in [root, *_segment_folders(root)]:
        about = TrialFolder(path).trial
        if about is not None:
            origin = Origin(**about["lineage"]) if "lineage" in about else None
            yield Segment(path, origin), about.get("id", "")


def _segment_folders(root: Path) -> list[Path]:
    return sorted(root.glob("segment-*"), key=_number)


def _number(folder: Path) -> int:
    """Return the number of a segment's folder."""
    return int(folder.name.rpartition("-")[2])


def _begin(segment: Segment, config: TrialConfig, checkpoint: Checkpoint) -> None:
    """Write the checkpoint to a segment's folder, unless it has trained since. Raises OtherTrial.

    If the process ends meanwhile, the same checkpoint begins the same segment again.
    """
    folder = TrialFolder(segment.folder)
    if folder.has_checkpoint or folder.summary is not None:
        return
    _check_fits(config, checkpoint)
    assert checkpoint.state is not None
    folder.claim()
    folder.write_json(names.TRIAL, description(config, segment.origin))
    folder.write(names.INHERITED, rows_text(checkpoint.rows))
    folder.save_checkpoint(checkpoint.state)
    folder.release()


def _check_fits(config: TrialConfig, checkpoint: Checkpoint) -> None:
    """Check that only settings of training have changed, and that epochs are left."""
    origin = checkpoint.origin
    new = config.model_dump()
    old = checkpoint.config
    pairs = {name: (old.get(name), new[name]) for name in FIXED}
    pairs["method.name"] = (old["method"]["name"], new["method"]["name"])
    for name, (before, after) in pairs.items():
        if json.dumps(before) != json.dumps(after):
            raise OtherTrial(
                f"{name}: it is {after} here, and {before} in the checkpoint of {origin.trial} "
                "that this trial continues. Mutate fields of `train` and `method` only"
            )
    if checkpoint.state is None or origin.epoch >= config.train.epochs:
        raise OtherTrial(
            f"train.epochs: {config.train.epochs} are not more than the {origin.epoch} epochs in "
            f"the checkpoint of {origin.trial} that this trial continues"
        )
