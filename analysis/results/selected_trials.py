"""The trials that a setting, an arm and a seed name, as `--setting`, `--arm` and `--seed` do."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol, TypeVar


class Place(NamedTuple):
    """A row of a table of trials, and the trial's place in the study."""

    row: int
    setting: str
    arm: str
    seed: int


class Named(Protocol):
    """A trial's place in its study."""

    @property
    def setting(self) -> str | None:
        """Its name; "" or None: the study has none."""

    @property
    def arm(self) -> str:
        """Name of the arm."""

    @property
    def seed(self) -> int:
        """The seed."""


Trial = TypeVar("Trial", bound=Named)


class NoTrial(Exception):
    """The study has no such trial; the message says what it has."""


def select(
    trials: Iterable[Trial],
    setting: str | None = None,
    arm: str | None = None,
    seed: int | None = None,
) -> list[Trial]:
    """Return the trials with this setting, arm and seed; None: any, but only one setting.

    Raises:
        NoTrial: there is none, or `setting` is None and the trials have several.
    """
    chosen = list(trials)
    settings = _different(trial.setting for trial in chosen)
    if setting is None and len(settings) > 1:
        raise NoTrial(
            f"there are several settings; choose one with --setting: {', '.join(settings)}"
        )
    for option, wanted in (("setting", setting), ("arm", arm), ("seed", seed)):
        if wanted is None:
            continue
        there = _different(getattr(trial, option) for trial in chosen)
        chosen = [trial for trial in chosen if getattr(trial, option) == wanted]
        if not chosen:
            raise NoTrial(f"--{option} {wanted}: the study has {', '.join(there) or 'none'}")
    return chosen


def _different(values: Iterable[str | int | None]) -> list[str]:
    """Return the different values as text, in their order, without empty ones."""
    return [str(value) for value in dict.fromkeys(values) if value not in (None, "")]
