"""Milestones of the learning rate that were written and that no trial reaches."""

from collections.abc import Iterator, Mapping

from trainable.config.trial import TrialConfig
from trainable.storage.wording import first_names

SHOWN = 3
"""Number of arms that are named."""


def unreached_milestones(configs: Mapping[tuple[str | None, str], TrialConfig]) -> Iterator[str]:
    """Yield a sentence for each list of milestones of which some are never reached.

    The default milestones suit 300 epochs. They were not written for shorter trials, and are not
    mentioned.

    Args:
        configs: (setting, arm) → configuration.
    """
    arms: dict[tuple[tuple[int, ...], int], list[str]] = {}
    for (setting, arm), config in configs.items():
        train = config.train
        if train.lr_schedule != "step" or "lr_milestones" not in train.model_fields_set:
            continue
        late = tuple(milestone for milestone in train.lr_milestones if milestone >= train.epochs)
        if late:
            name = f"{setting}/{arm}" if setting else arm
            arms.setdefault((late, train.epochs), []).append(name)
    for (late, epochs), names in arms.items():
        yield _sentence(late, epochs, names, every=len(names) == len(configs))


def _sentence(late: tuple[int, ...], epochs: int, names: list[str], every: bool) -> str:
    which = "every arm" if every else first_names(names, SHOWN)
    listed = ", ".join(map(str, late))
    return (
        f"train.lr_milestones: {listed} is not reached in {which} (train.epochs: {epochs}). The "
        "learning rate is not multiplied by train.lr_gamma there"
    )
