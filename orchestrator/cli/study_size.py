"""The size of the study that `init` writes: seeds, arms and epochs that end in about an hour.

A few steps are timed on random images of the size that the networks will see. The data are not
loaded, so that it takes seconds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from analysis.results.study_plan import BASELINE
from orchestrator.study.load import Study
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.data.survey import Survey

SEEDS = 8
FEWEST_SEEDS = 6
"""Smallest number of seeds that can show a difference."""
ARMS = (
    "strong_cross_entropy",
    "published",
    "lambda_u=25",
    "mixup",
    "no_co_refine",
    "one_network",
)
"""Arms in addition to the baseline, the most useful first."""
FEW_ARMS = 3
FEWEST_EPOCHS = 20
HOUR = 3600.0
ABOUT = 1.2
"""Largest number of hours of a study that ends in about one."""


@dataclass(frozen=True)
class Size:
    """Size of a study.

    Attributes:
        epochs: of each trial.
        seeds: number of seeds.
        arms: names of the arms in addition to the baseline.
    """

    epochs: int
    seeds: int = SEEDS
    arms: tuple[str, ...] = ARMS

    @property
    def trials(self) -> int:
        """Number of trials."""
        return self.seeds * (1 + len(self.arms))


@dataclass(frozen=True)
class Timed:
    """Times of a study, measured on this machine.

    Attributes:
        seconds: arm → s of one epoch of a trial, the baseline included, without other programs.
        slowdown: by which factor slow steps took longer than this.
        slots: number of trials that are trained at once.
    """

    seconds: Mapping[str, float]
    slowdown: float
    slots: int

    def of(self, size: Size) -> float:
        """Return how long a study takes, s, without other programs."""
        epoch = sum(self.seconds[arm] for arm in (BASELINE, *size.arms))
        longest = max(self.seconds[arm] for arm in (BASELINE, *size.arms))
        return size.epochs * max(epoch * size.seeds / self.slots, longest)


def sizes(epochs: int) -> Iterator[Size]:
    """Yield sizes from the whole study to the smallest one that can still answer its question."""
    yield Size(epochs)
    yield Size(epochs, FEWEST_SEEDS)
    yield Size(epochs, FEWEST_SEEDS, ARMS[:FEW_ARMS])
    yield Size(epochs, FEWEST_SEEDS, ARMS[:1])
    for share in (0.75, 0.5):
        fewer = max(FEWEST_EPOCHS, round(share * epochs))
        if fewer < epochs:
            yield Size(fewer, FEWEST_SEEDS, ARMS[:1])


def fitting(epochs: int, timed: Timed) -> Size:
    """Return the largest size that ends in about an hour; the smallest one if none does."""
    found = list(sizes(epochs))
    for size in found:
        if timed.of(size) <= ABOUT * HOUR:
            return size
    return found[-1]


def explained(chosen: Size, whole: Size, timed: Timed) -> Iterator[str]:
    """Yield comments: how long the study takes on this machine, and what was left out."""
    from orchestrator.run.cost import between

    def took(size: Size) -> str:
        quick = timed.of(size)
        return between(quick, quick * timed.slowdown)

    slots = "1 slot" if timed.slots == 1 else f"{timed.slots} slots"
    yield (
        f"size: {1 + len(chosen.arms)} arms × {chosen.seeds} seeds × {chosen.epochs} epochs take "
        f"about {took(chosen)} on {slots} of this machine"
    )
    if chosen == whole:
        return
    less = []
    if left_out := len(whole.arms) - len(chosen.arms):
        less.append(f"{left_out} arms are commented out")
    if chosen.seeds < whole.seeds:
        less.append(f"{whole.seeds - chosen.seeds} of {whole.seeds} seeds are left out")
    if chosen.epochs < whole.epochs:
        less.append(f"epochs are {chosen.epochs} instead of {whole.epochs}")
    yield f"to end sooner, {', '.join(less)}: the whole study takes {took(whole)}"


def timed(study: Study, found: Survey, machine: Machine) -> Timed | None:
    """Time a few steps; None: the network of the study does not take these images.

    Args:
        study: the whole study.
        found: survey of its data.
        machine: where it will be trained.
    """
    from orchestrator.run.cost import slots_of
    from trainable.errors import DataError
    from trainable.trial.cost import Images, forwards, pace_of

    trials = {trial.record.arm: trial.config for trial in study.trials}
    baseline = trials[BASELINE]
    try:
        pace = pace_of(baseline, _shape(baseline, found), machine)
    except DataError:
        return None
    validation = sum(found.counts.get("val", []))
    held_out = 0 if validation else round(baseline.data.validation_fraction * found.train)
    seen = found.train - held_out
    images = Images(seen, seen, tested=sum(found.counts["test"]) + validation + held_out)
    seconds = {
        arm: forwards(config, images) * pace.low / config.train.epochs
        for arm, config in trials.items()
    }
    return Timed(seconds, pace.high / pace.low, slots_of(study))


def _shape(config: TrialConfig, found: Survey) -> tuple[int, int, int]:
    """Return height, width and channels of an image as networks see it."""
    height, width = found.sizes.most_common(1)[0][0]
    size = getattr(config.data, "size", None)
    if size is not None:
        height = width = size
    return height, width, 1 if found.grey else 3
