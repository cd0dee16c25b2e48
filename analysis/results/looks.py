"""Record of a sequential study, `looks.jsonl`: when arms joined, and what each look found.

Lines are only added. An arm that joins a study which has begun is judged by seeds that nothing was
known of then; therefore the file, and not the study, says from which seed on its results count. It
uses the standard library only.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from analysis.results.study_plan import Joined
from trainable.storage import names
from trainable.storage.checksums import Damaged, signed, verified

JOINED = "joined"
LOOK = "look"
TIME = "time"


@dataclass(frozen=True)
class Look:
    """A question that was closed.

    Attributes:
        setting, arm, id: whose question.
        verdict: the answer.
        seeds: number of seeds after which it was given.
        margin: equivalence margin then, in points.
        time: seconds since 1970.
    """

    setting: str | None
    arm: str
    id: str
    verdict: str
    seeds: int
    margin: float
    time: float


@dataclass(frozen=True)
class Register:
    """Content of `looks.jsonl`.

    Attributes:
        joined: all arms that ever took part, in the order in which they joined.
        looks: all questions that were closed.
        hours: wall time of all runs, as far as it was recorded.
        problems: sentences about damaged lines, which are left out.
    """

    joined: list[Joined] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    hours: float = 0.0
    problems: list[str] = field(default_factory=list)

    def was_closed(self, arm: Joined) -> bool:
        """Return whether an arm's question was closed at some look."""
        return any((look.setting, look.id) == (arm.setting, arm.id) for look in self.looks)


def read_register(root: Path) -> Register:
    """Read the record of the study in `root`; it is empty if there is none."""
    try:
        lines = (root / names.LOOKS).read_bytes().splitlines()
    except OSError:
        return Register()
    register = Register()
    seconds: dict[str, float] = {}
    for number, line in enumerate(lines, 1):
        try:
            content = verified(_object(line), names.LOOKS, compulsory=True)
            kind = content.pop("kind")
            if kind == JOINED:
                register.joined.append(_made(Joined, content))
            elif kind == LOOK:
                register.looks.append(_made(Look, content))
            elif kind == TIME:
                seconds[str(content["run"])] = float(content["seconds"])
        except (Damaged, ValueError, KeyError, TypeError):
            register.problems.append(f"{names.LOOKS}: line {number} is damaged, and left out")
    return Register(
        register.joined, register.looks, sum(seconds.values()) / 3600, register.problems
    )


def add_entries(root: Path, entries: Iterable[Joined | Look]) -> None:
    """Add arms that join, and questions that are closed."""
    lines = []
    for entry in entries:
        kind = JOINED if isinstance(entry, Joined) else LOOK
        lines.append({"kind": kind, **asdict(entry)})
    _append(root, lines)


def add_time(root: Path, run: str, seconds: float) -> None:
    """Note how long a run has lasted; the last note of a run counts."""
    _append(root, [{"kind": TIME, "run": run, "seconds": round(seconds, 1)}])


def _append(root: Path, lines: list[dict[str, Any]]) -> None:
    if not lines:
        return
    path = root / names.LOOKS
    with path.open("ab+") as file:
        # A line that a crash has cut off must not spoil the next one.
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write("".join(json.dumps(signed(line)) + "\n" for line in lines).encode())
        file.flush()
        os.fsync(file.fileno())


def _object(line: bytes) -> dict[str, Any]:
    content = json.loads(line)
    if not isinstance(content, dict):
        raise Damaged("a line is not a JSON object")
    return content


def _made(kind: type[Any], content: dict[str, Any]) -> Any:
    """Return an entry; fields of later versions are ignored."""
    known = {each.name for each in fields(kind)}
    return kind(**{name: value for name, value in content.items() if name in known})
