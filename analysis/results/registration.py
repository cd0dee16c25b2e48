"""Registration of a study, `registration.jsonl`: what it asks and how it judges, and what changed.

The first line is written before the first trial. A later run whose study asks something else adds a
line, and so does one that trains again what had ended. The report lists both as deviations. This
module uses the standard library only.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from analysis.results import signed_lines
from analysis.results.signed_lines import made
from analysis.results.study_plan import DeclaredNoise
from trainable.storage import names
from trainable.storage.wording import first_names

REGISTERED = "registered"
AGAIN = "again"
SHOWN = 5
"""Largest number of arms or trials that a sentence lists."""


@dataclass(frozen=True)
class Question:
    """What a study asks, and how it judges.

    Attributes:
        text: checksum of the study file.
        metric: name of the metric that is compared.
        primary: the arm whose difference from the baseline the study is about; None: no arm.
        margin: equivalence margin in points.
        seeds: the list of seeds, or how they are added.
        arms: `[setting/]arm` → a digest of its configuration without the seed.
        test_noise: setting (or "") → declared noise of the test labels.
    """

    text: str
    metric: str
    primary: str | None
    margin: float
    seeds: list[int] | dict[str, Any]
    arms: dict[str, str]
    test_noise: dict[str, DeclaredNoise] = field(default_factory=dict)

    def changes(self, later: "Question") -> Iterator[str]:
        """Yield what another question changes."""
        if (self.metric, self.primary) != (later.metric, later.primary):
            yield f"the primary contrast: {self._contrast()} → {later._contrast()}"
        if self.margin != later.margin:
            yield f"the margin: {self.margin:g} → {later.margin:g} points"
        if self.seeds != later.seeds:
            yield f"the seeds: {_seeds(self.seeds)} → {_seeds(later.seeds)}"
        if self.test_noise != later.test_noise:
            yield f"the declared noise of the test labels: {self._noise()} → {later._noise()}"
        added = [arm for arm in later.arms if arm not in self.arms]
        removed = [arm for arm in self.arms if arm not in later.arms]
        kept = [arm for arm in self.arms if arm in later.arms]
        changed = [arm for arm in kept if self.arms[arm] != later.arms[arm]]
        for what, arms in (("added", added), ("removed", removed), ("changed", changed)):
            if arms:
                yield f"{what}: {first_names(arms)}"

    def _contrast(self) -> str:
        return f"{self.primary or 'none'}, {self.metric}"

    def _noise(self) -> str:
        named = []
        for setting, noise in self.test_noise.items():
            text = "class-dependent" if isinstance(noise, list) else f"symmetric {noise:g}"
            named.append(f"{setting}: {text}" if setting else text)
        return ", ".join(named) or "none"


@dataclass(frozen=True)
class Registered:
    """A question from one run on.

    Attributes:
        time: seconds since 1970.
        ended: number of trials of the study that had ended by then.
        question: what is asked.
    """

    time: float
    ended: int
    question: Question


@dataclass(frozen=True)
class Again:
    """Trials that had ended, and that a run trained once more.

    Attributes:
        time: seconds since 1970.
        reason: `after …`.
        trials: their names.
    """

    time: float
    reason: str
    trials: list[str]


@dataclass(frozen=True)
class Registration:
    """Content of `registration.jsonl`.

    Attributes:
        entries: its lines in order.
        problems: sentences about damaged lines, which are left out.
    """

    entries: list[Registered | Again] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def questions(self) -> list[Registered]:
        """What was asked: before the first trial ended, then every change of it."""
        found = [entry for entry in self.entries if isinstance(entry, Registered)]
        early = sum(entry.ended == 0 for entry in found)
        return found[max(0, early - 1) :]

    @property
    def before(self) -> Registered | None:
        """What was registered before the first trial had ended; None: nothing."""
        found = self.questions
        if found and found[0].ended == 0:
            return found[0]
        return None

    def asked_before(self, setting: str | None, arm: str, baseline: str) -> bool:
        """Return whether an arm's question was registered before the first result, as it is now."""
        if self.before is None:
            return False
        first = self.before.question
        now = self.questions[-1].question
        arms = ["/".join(filter(None, [setting, name])) for name in (arm, baseline)]
        return (
            arms[0] in first.arms
            and (first.metric, first.margin, first.seeds) == (now.metric, now.margin, now.seeds)
            and first.test_noise == now.test_noise
            and all(first.arms.get(name) == now.arms.get(name) for name in arms)
        )

    def deviations(self) -> Iterator[str]:
        """Yield a sentence for everything that is not as it was registered first."""
        found = self.questions
        if found and found[0].ended:
            first = found[0]
            yield f"{_date(first.time)}: registered only after {_trials(first.ended)} had ended"
        for before, after in pairwise(found):
            changes = list(before.question.changes(after.question))
            what = "; ".join(changes) or "the text of the study file, and nothing that it asks"
            yield f"{_date(after.time)}, after {_trials(after.ended)} had ended: {what}"
        for entry in self.entries:
            if isinstance(entry, Again):
                trials = _trials(len(entry.trials))
                named = first_names(entry.trials)
                yield f"{_date(entry.time)}: {trials} trained again {entry.reason}: {named}"


def read_registration(root: Path) -> Registration:
    """Read the registration of the study in `root`; it is empty if there is none."""
    entries, problems = signed_lines.read(root / names.REGISTRATION, _entry)
    return Registration([entry for entry in entries if entry is not None], problems)


def _entry(content: dict[str, Any]) -> Registered | Again | None:
    """Return the content of a line, None for a kind of later versions.

    Raises KeyError, TypeError or ValueError if it lacks something.
    """
    kind = content.pop("kind")
    if kind == AGAIN:
        return made(Again, content)
    if kind == REGISTERED:
        return Registered(content["time"], content["ended"], made(Question, content["question"]))
    return None


def add_entry(root: Path, entry: Registered | Again) -> None:
    """Add a line."""
    kind = REGISTERED if isinstance(entry, Registered) else AGAIN
    signed_lines.append(root / names.REGISTRATION, [{"kind": kind, **asdict(entry)}])


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _trials(number: int) -> str:
    return f"{number} trial" if number == 1 else f"{number} trials"


def _seeds(seeds: list[int] | dict[str, Any]) -> str:
    if isinstance(seeds, dict):
        return ", ".join(f"{name} {value}" for name, value in seeds.items())
    return f"{len(seeds)} ({', '.join(map(str, seeds[:SHOWN]))}{', …' * (len(seeds) > SHOWN)})"
