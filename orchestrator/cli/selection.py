"""The options `--arms`, `--seeds` and `--settings`: lists, ranges, and patterns of names."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from orchestrator.exit_codes import WRONG, Ended
from orchestrator.study.load import Study

PATTERN = re.compile(r"[*?\[]")
RANGE = re.compile(r"(\d{1,19})-(\d{1,19})")
MOST_SEEDS = 10_000
"""Largest number of seeds that a range may have."""


def selected(planned: Study, arms: str, seeds: str, settings: str) -> dict[str, Any]:
    """Return what the options select, as fields of `Options`.

    Raises:
        Ended: a pattern matches nothing, or a seed is not a number or a range.
    """
    if planned.search is not None:  # `check_selection` says that it cannot be run in part
        return {
            "arms": frozenset(_parts(arms, [])),
            "seeds": frozenset(_seeds(seeds)),
            "settings": frozenset(_parts(settings, [])),
        }
    records = [trial.record for trial in planned.trials]
    known_arms = dict.fromkeys(record.arm for record in records)
    known_settings = dict.fromkeys(record.setting for record in records if record.setting)
    return {
        "arms": frozenset(_names("--arms", arms, list(known_arms))),
        "seeds": frozenset(_seeds(seeds)),
        "settings": frozenset(_names("--settings", settings, list(known_settings))),
    }


def _names(option: str, text: str, known: list[str]) -> Iterator[str]:
    """Yield the names in a list; a pattern such as `no_*` stands for all known names it matches."""
    for part in _parts(text, known):
        if part in known or not PATTERN.search(part):
            yield part
            continue
        matching = [name for name in known if fnmatchcase(name, part)]
        if not matching:
            has = ", ".join(known) or "none"
            raise Ended(f"{option}: {part} matches nothing; the study has {has}", WRONG)
        yield from matching


def _parts(text: str, known: list[str]) -> Iterator[str]:
    """Yield the parts of `a,b`.

    Known names may contain commas themselves (`a=1,b=2`), so the longest that fits is one part.
    """
    while text:
        fitting = [name for name in known if f"{text},".startswith(f"{name},")]
        part = max(fitting, key=len, default=text.partition(",")[0])
        text = text[len(part) + 1 :]
        if part:
            yield part.strip()


def _seeds(text: str) -> Iterator[int]:
    """Yield the seeds of `0-3,8`; both ends of a range are included."""
    for part in _parts(text, []):
        span = RANGE.fullmatch(part)
        if span is None:
            yield _seed(part)
            continue
        first, last = int(span[1]), int(span[2])
        if not first <= last < first + MOST_SEEDS:
            raise Ended(
                f"--seeds: {part} is not a range of 1 to {MOST_SEEDS} seeds; expected for "
                "instance 0-7",
                WRONG,
            )
        yield from range(first, last + 1)


def _seed(text: str) -> int:
    if not text.isdecimal() or len(text) > 19:
        raise Ended(f"--seeds: {text} is not a number or a range such as 0-7", WRONG)
    return int(text)
