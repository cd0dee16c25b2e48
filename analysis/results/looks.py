"""Record of a sequential study, `looks.jsonl`: when arms joined, and what each look found.

Lines are only added. An arm that joins a study which has begun is judged by seeds that nothing was
known of then; therefore the file, and not the study, says from which seed on its results count. It
uses the standard library only.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from analysis.results import signed_lines
from analysis.results.signed_lines import made
from analysis.results.study_plan import Joined
from trainable.storage import names

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


@dataclass(frozen=True)
class _Time:
    """How long a run has lasted so far, in seconds."""

    run: str
    seconds: float


def read_register(root: Path) -> Register:
    """Read the record of the study in `root`; it is empty if there is none."""
    entries, problems = signed_lines.read(root / names.LOOKS, _entry)
    joined = [entry for entry in entries if isinstance(entry, Joined)]
    looks = [entry for entry in entries if isinstance(entry, Look)]
    seconds = {entry.run: entry.seconds for entry in entries if isinstance(entry, _Time)}
    return Register(joined, looks, sum(seconds.values()) / 3600, problems)


def _entry(content: dict[str, Any]) -> Joined | Look | _Time | None:
    """Return the content of a line, None for a kind of later versions.

    Raises KeyError, TypeError or ValueError if it lacks something.
    """
    kind = content.pop("kind")
    if kind == JOINED:
        return made(Joined, content)
    if kind == LOOK:
        return made(Look, content)
    if kind == TIME:
        return _Time(str(content["run"]), float(content["seconds"]))
    return None


def add_entries(root: Path, entries: Iterable[Joined | Look]) -> None:
    """Add arms that join, and questions that are closed."""
    lines = []
    for entry in entries:
        kind = JOINED if isinstance(entry, Joined) else LOOK
        lines.append({"kind": kind, **asdict(entry)})
    signed_lines.append(root / names.LOOKS, lines)


def add_time(root: Path, run: str, seconds: float) -> None:
    """Note how long a run has lasted; the last note of a run counts."""
    line = {"kind": TIME, "run": run, "seconds": round(seconds, 1)}
    signed_lines.append(root / names.LOOKS, [line])
