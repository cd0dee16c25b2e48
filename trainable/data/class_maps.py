"""Class maps of asymmetric noise: the class for which each class is mistaken."""

from typing import Literal

import numpy as np

from trainable.errors import DataError

CIFAR10 = [0, 1, 0, 5, 7, 3, 6, 7, 8, 1]
"""truck→automobile, bird→airplane, deer→horse, cat↔dog; other classes have no target (the authors'
`transition`)."""

# fmt: off
CIFAR100_SUPERCLASS = [
    4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11, 6, 11, 5, 10, 7,
    6, 13, 15, 3, 15, 0, 11, 1, 10, 12, 14, 16, 9, 11, 5, 5, 19, 8, 8, 15, 13, 14, 17, 18, 10,
    16, 4, 17, 4, 2, 0, 17, 4, 18, 17, 10, 3, 2, 12, 12, 16, 12, 1, 9, 19, 2, 10, 0, 1, 16,
    12, 9, 13, 15, 13, 16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14, 13,
]
# fmt: on
"""Published superclass of each class of CIFAR-100, in alphabetical order of the classes. Some code
uses blocks of five consecutive classes, which are different groups."""


def target_classes(map_: Literal["cifar10", "cifar100"] | list[int], classes: int) -> np.ndarray:
    """Return the target of each class, (classes,); a class without a target is its own target.

    Raises:
        DataError: the map has another number of classes.
    """
    if map_ == "cifar10":
        targets = np.array(CIFAR10, np.int64)
    elif map_ == "cifar100":
        targets = np.array(_next_in_group(CIFAR100_SUPERCLASS), np.int64)
    else:
        targets = np.array(map_, np.int64)
    largest = targets.max(initial=0)
    if len(targets) != classes or largest >= classes:
        name = map_ if isinstance(map_, str) else "a list"
        raise DataError(
            f"noise.map: {name} has {len(targets)} targets up to class {largest}, and the data "
            f"have {classes} classes. Write a list with the target of each class, the class itself "
            "where there is none"
        )
    return targets


def _next_in_group(groups: list[int]) -> list[int]:
    """Return the next class in the group of each class; the first one follows the last one."""
    members: dict[int, list[int]] = {}
    for label, group in enumerate(groups):
        members.setdefault(group, []).append(label)
    following = [0] * len(groups)
    for labels in members.values():
        for place, label in enumerate(labels):
            following[label] = labels[(place + 1) % len(labels)]
    return following
