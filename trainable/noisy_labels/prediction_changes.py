"""Label Wave: the epoch in which the fewest training images change their predicted class.

Yuan, Feng and Liu, "Early Stopping Against Label Noise Without Validation Data", ICLR 2025, arXiv
2502.07551. A network that begins to memorise wrong labels changes more predictions than before.
Training is to stop at the first local minimum of the moving average of the number of changes. No
label is needed. As in the authors' code (github.com/tmllab/2024_ICLR_LabelWave), predictions are
those of the training pass. Where a method predicts all images before an epoch to divide them,
those predictions are used.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from trainable.storage.names import DIVISION_CHANGED, TRAINING_CHANGED

WINDOW = 3
"""Number of epochs whose changes are averaged."""
ROUNDING = 1e-9
"""Averages that are closer than this differ by rounding only."""
NEVER = -1
"""Class of an image that was never predicted."""


class PredictionChanges:
    """The class that each network last predicted for each training image, and how many changed.

    Args:
        networks: number of networks.
        samples: number of training images.
        device: where the classes are.
    """

    def __init__(self, networks: int, samples: int, device: torch.device):
        self._classes = torch.full((networks, samples), NEVER, dtype=torch.int16, device=device)
        self._counts = torch.zeros(2, dtype=torch.int64, device=device)
        """Images of the present epoch that changed, and those that were predicted before, too."""

    def add(self, network: int, index: torch.Tensor | slice, classes: torch.Tensor) -> None:
        """Add what a network predicts for some images, each at most once an epoch.

        Args:
            network: its number.
            index: positions (batch,) in the training set.
            classes: predictions (batch,).
        """
        now = classes.to(torch.int16)
        before = self._classes[network, index]
        known = before != NEVER
        self._counts += torch.stack([(known & (before != now)).sum(), known.sum()])
        self._classes[network, index] = now

    def end_epoch(self) -> float | None:
        """Return the share of the predictions that changed in this epoch, percent.

        None: no image of this epoch was predicted before.
        """
        changed, known = self._counts.tolist()
        self._counts.zero_()
        return 100 * changed / known if known else None

    def state_dict(self) -> torch.Tensor:
        """Return the classes (networks, samples), between two epochs."""
        return self._classes

    def load_state_dict(self, classes: torch.Tensor) -> None:
        """Resume from the result of `state_dict`."""
        self._classes = classes.to(self._classes.device)
        self._counts.zero_()


def label_wave_epoch(rows: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the epoch that Label Wave selects from the rows of a trial, from 1.

    A row has the changes in the training pass, and those in the pass before the epoch if the method
    divides; the latter are of the networks after the epoch before. None: there are too few.
    """
    divided = [row for row in rows if DIVISION_CHANGED in row]
    if divided:
        chosen = first_minimum([row[DIVISION_CHANGED] for row in divided])
        return None if chosen is None else int(divided[chosen]["epoch"]) - 1
    trained = [row for row in rows if TRAINING_CHANGED in row]
    chosen = first_minimum([row[TRAINING_CHANGED] for row in trained])
    return None if chosen is None else int(trained[chosen]["epoch"])


def first_minimum(changes: Sequence[float]) -> int | None:
    """Return the position of the first local minimum of the moving average of changes.

    The average at a position is that of the last `WINDOW` values, and of equal minima the last one
    is taken. It is the last position if the average never rises; None with fewer values than
    `WINDOW`.
    """
    if len(changes) < WINDOW:
        return None
    averages = np.convolve(changes, np.full(WINDOW, 1 / WINDOW), mode="valid")
    rises = np.flatnonzero(np.diff(averages) > ROUNDING)
    place = int(rises[0]) if len(rises) else len(averages) - 1
    return place + WINDOW - 1
