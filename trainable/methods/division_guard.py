"""`guard`: sees that a division makes the networks worse, and brings back those of warm-up.

On few images, or after a short warm-up, the division may be of poor networks. They then learn their
own errors: accuracy falls from epoch to epoch, and a longer training makes it worse. That can be
seen without true labels: the ensemble agrees with fewer of the noisy labels of the validation set,
which nothing was trained on. The rule is a sign test of the validation samples whose label only one
of the two ensembles predicts (McNemar 1947), in two epochs in a row, because a single epoch may
fall by chance.
"""

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch

from trainable.engine.learner import Learner

Z = 2.0
"""Standard deviations that count as a fall."""
EPOCHS = 2
"""Epochs in a row with a fall after which the division has failed."""


class DivisionGuard:
    """Compares agreement with the validation labels after each epoch with that after warm-up.

    Attributes:
        failed: whether the division has failed; the networks are then those of warm-up.
    """

    def __init__(self) -> None:
        self.failed = False
        self._kept: list[dict[str, Any]] = []
        self._agreed: torch.Tensor | None = None
        self._falls = 0

    def keep(self, learners: Sequence[Learner], agrees: torch.Tensor) -> None:
        """Keep the networks at the end of warm-up.

        Args:
            learners: the networks.
            agrees: whether the ensemble predicts the label of each validation sample, (m,) bool.
        """
        self._kept = [copy.deepcopy(learner.state_dict()) for learner in learners]
        self._agreed = agrees.clone()

    def restore_if_failed(self, learners: Sequence[Learner], agrees: torch.Tensor) -> bool:
        """Bring the kept networks back if the division has failed; return whether it has.

        Args:
            learners: the networks.
            agrees: whether the ensemble predicts the label of each validation sample after the
                newest epoch, (m,) bool.
        """
        if self._agreed is None or self.failed:
            return False
        before = self._agreed.to(agrees.device)  # a checkpoint is read on the CPU
        self._falls = self._falls + 1 if fell(before, agrees) else 0
        self.failed = self._falls >= EPOCHS
        if self.failed:
            for learner, state in zip(learners, self._kept, strict=True):
                # The work of the failed epochs has been done and stays counted.
                learner.load_state_dict({**state, "forwards": learner.forwards})
            self._kept = []
        return self.failed

    def state_dict(self) -> dict[str, Any]:
        """Return the kept networks and what was seen so far."""
        return {
            "failed": self.failed,
            "kept": self._kept,
            "agreed": self._agreed,
            "falls": self._falls,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from the result of `state_dict`."""
        self.failed = state["failed"]
        self._kept = state["kept"]
        self._agreed = state["agreed"]
        self._falls = state["falls"]


def fell(before: torch.Tensor, now: torch.Tensor) -> bool:
    """Return whether significantly fewer of the same samples, (m,) bool, agree than before."""
    lost = int((before & ~now).sum())
    gained = int((now & ~before).sum())
    return lost - gained > Z * math.sqrt(lost + gained)
