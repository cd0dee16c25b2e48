"""Bundle of a study's results: one tar.xz file with everything that reports and `verify` read.

Weights, checkpoints and events are not included. Only names that a results folder can have are
unpacked. This module uses the standard library only.
"""

import csv
import io
import json
import lzma
import re
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
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
CHECKS = re.compile(rf"{names.AUDIT}/test/[0-9a-z]+/(draw\.json|decisions\.csv)")
"""Files of checked test labels."""
KEPT = re.compile(f"({_STUDY_FILE})|{names.RUNS}/{PLACE.pattern}/({_TRIAL_FILE})|{CHECKS.pattern}")
"""Files of a bundle, as paths below the study's folder."""
PRIVATE = ("git_diff", "folder")
"""Fields of a run that a bundle does not contain."""


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
    with tarfile.open(fresh, "w:xz") as bundle:
        for name in kept:
            content = paths[name].read_bytes()
            if name == names.PROVENANCE:
                content = _public(content)
            if CHECKS.fullmatch(name) and name.endswith(".csv"):
                content = _anonymous(content)
            entry = tarfile.TarInfo(name)  # without time and owner: equal results, equal bundles
            entry.size = len(content)
            bundle.addfile(entry, io.BytesIO(content))
    fresh.replace(out)
    return len(kept)


def _anonymous(decisions: bytes) -> bytes:
    """Return decisions with numbers in place of the reviewers' names."""
    header, *lines = csv.reader(io.StringIO(decisions.decode("utf-8-sig"), newline=""))
    reviewers: dict[str, str] = {}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for line in lines:
        if len(line) > 1:
            line[1] = reviewers.setdefault(line[1], f"reviewer {len(reviewers) + 1}")
        writer.writerow(line)
    return text.getvalue().encode()


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
    if zipfile.is_zipfile(file):
        raise NotABundle(f"{file} is a bundle of an earlier version: unzip it into a new folder")
    files = 0
    try:
        with tarfile.open(file, "r:xz") as bundle:
            for member in _checked(file, bundle, folder):
                source = bundle.extractfile(member)
                assert source is not None, "a regular file has content"
                path = folder / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as target:
                    shutil.copyfileobj(source, target)
                files += 1
    except (tarfile.TarError, lzma.LZMAError, EOFError, ValueError) as error:
        shutil.rmtree(folder, ignore_errors=True)  # the folder was new or empty
        raise NotABundle(f"{file} is not a complete bundle: {error}") from None
    return files


def _checked(file: Path, bundle: tarfile.TarFile, folder: Path) -> Iterator[tarfile.TarInfo]:
    """Yield the members of a bundle after all were checked.

    Raises:
        NotABundle: one is no file that a study's results can have, or they need more bytes than are
            free at `folder`.
    """
    place = next(parent for parent in folder.resolve().parents if parent.exists())
    free = shutil.disk_usage(place).free
    needed = 0
    members = []
    for member in bundle:
        if not member.isreg() or not KEPT.fullmatch(member.name):
            raise NotABundle(
                f"{file}: {member.name!r} is not a file of study results; nothing was unpacked"
            )
        needed += member.size
        if needed > free:
            raise NotABundle(
                f"{file} holds more than {needed / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free "
                f"at {place}"
            )
        members.append(member)
    yield from members
