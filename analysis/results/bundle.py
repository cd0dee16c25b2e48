"""Bundle of a study's results: one file with everything that reports and `verify` read.

Weights, checkpoints and events are not included. Only names that a results folder can have are
unpacked. This module uses the standard library only.
"""

import json
import lzma
import re
import shutil
import zipfile
import zlib
from pathlib import Path

from trainable.storage import names
from trainable.storage.trial_folder import PLACE

OF_STUDY = (
    names.STUDY,
    names.PLAN,
    names.PROVENANCE,
    names.REGISTRATION,
    names.JOURNAL,
    names.LOOKS,
)
OF_TRIAL = (
    names.TRIAL,
    names.SUMMARY,
    names.FAILURE,
    names.STOPPED,
    names.METRICS_FILE,
    names.SAMPLES,
)
_STUDY_FILE = "|".join(map(re.escape, OF_STUDY))
_TRIAL_FILE = "|".join(map(re.escape, OF_TRIAL))
KEPT = re.compile(f"({_STUDY_FILE})|{names.RUNS}/{PLACE.pattern}/({_TRIAL_FILE})")
"""Files of a bundle, as paths below the study's folder."""
PRIVATE = ("git_diff", "folder")
"""Fields of a run that a bundle does not contain."""
COMPRESSION = zipfile.ZIP_LZMA
"""A fifth smaller than the usual one."""
WRITTEN = (1980, 1, 1, 0, 0, 0)
"""Time of every file in a bundle, so that equal results have equal bundles."""


class NotABundle(Exception):
    """A file is not a bundle, or has content that a bundle cannot have."""


def pack(root: Path, out: Path, samples: bool = True) -> int:
    """Write the bundle of the study in `root`; return the number of its files.

    Args:
        root: the study's folder.
        out: the file to write.
        samples: whether to include the tables of samples, which `audit` and the report's figures of
            the division need; they are most of a bundle.
    """
    paths = {}
    for path in root.rglob("*"):
        if path.is_file():
            paths[path.relative_to(root).as_posix()] = path
    kept = sorted(filter(KEPT.fullmatch, paths))
    if not samples:
        kept = [name for name in kept if paths[name].name != names.SAMPLES]
    fresh = out.with_name(f".{out.name}.tmp")
    with zipfile.ZipFile(fresh, "w", COMPRESSION) as bundle:
        for name in kept:
            entry = zipfile.ZipInfo(name, WRITTEN)
            content = paths[name].read_bytes()
            if name == names.PROVENANCE:
                content = _public(content)
            bundle.writestr(entry, content, COMPRESSION)
    fresh.replace(out)
    return len(kept)


def _public(provenance: bytes) -> bytes:
    """Return a provenance without the uncommitted changes and folders of older versions."""
    try:
        runs = json.loads(provenance)
        kept = [{name: value for name, value in run.items() if name not in PRIVATE} for run in runs]
    except (ValueError, TypeError, AttributeError):
        return b"[]"
    return json.dumps(kept, indent=1).encode()


def unpack(file: Path, folder: Path) -> int:
    """Unpack a bundle into a new folder; return the number of its files.

    Raises:
        NotABundle: it has a name that a study's results cannot have, it does not fit on the disk,
            or it is damaged. The folder is then empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise NotABundle(f"{folder} exists already; choose a new folder")
    try:
        with zipfile.ZipFile(file) as bundle:
            members = bundle.infolist()
            _check_names(file, members)
            _check_room(file, sum(member.file_size for member in members), folder)
            for member in members:
                path = folder / member.filename
                path.parent.mkdir(parents=True, exist_ok=True)
                with bundle.open(member) as source, path.open("wb") as target:
                    shutil.copyfileobj(source, target)
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        NotImplementedError,
        RuntimeError,
        EOFError,
    ) as error:
        shutil.rmtree(folder, ignore_errors=True)  # the folder was new or empty
        raise NotABundle(f"{file} is not a complete zip file: {error}") from None
    return len(members)


def _check_names(file: Path, members: list[zipfile.ZipInfo]) -> None:
    """Raise NotABundle if it has a file that a study's results cannot have."""
    for member in members:
        if not KEPT.fullmatch(member.filename):
            raise NotABundle(
                f"{file}: {member.filename!r} is not a file of study results; nothing was unpacked"
            )


def _check_room(file: Path, needed: int, folder: Path) -> None:
    """Raise NotABundle if it needs more bytes than are free at `folder`."""
    place = next(parent for parent in folder.resolve().parents if parent.exists())
    free = shutil.disk_usage(place).free
    if needed > free:
        raise NotABundle(
            f"{file} holds {needed / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free at {place}"
        )
