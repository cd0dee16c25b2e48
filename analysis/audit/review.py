"""State of a review: which images come next, what was found, and what that certifies."""

from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.audit.decisions import Settled
from analysis.audit.review_order import ReviewOrder
from analysis.stats.certificate import Stratum, at_most, looks_until, next_stratum

RANDOM_EVERY = 8
"""Number of images shown by suspicion of which one is the next in the random order instead."""
STEPS = (50, 40, 30, 25, 20, 15, 12, 10, 8, 6, 5, 4, 3, 2.5, 2, 1.5, 1, 0.8, 0.5, 0.2, 0.1)
"""Percentages of wrong labels that are aimed at."""
Mode = Literal["suspicious", "certificate", "second"]
"""Most suspicious images first, what lowers the certificate's bound most, or images that others
decided and that are not settled or were not seen by this reviewer."""


@dataclass(frozen=True)
class Certificate:
    """What a review has shown.

    Attributes:
        images: number of images.
        looks: number of images with a decision.
        counted: those whose turn in the random order has come.
        wrong: number of wrong labels found, with unusable, unsure and disputed images.
        corrected: those of them that get another label, or are unusable and left out.
        at_most: greatest number of wrong labels that are left after correction, with 95 %
            confidence.
        step: the next lower percentage that is aimed at; None: there is none.
    """

    images: int
    looks: int
    counted: int
    wrong: int
    corrected: int
    at_most: int
    step: float | None

    @property
    def percent(self) -> float:
        """The greatest percentage of wrong labels."""
        return 100 * self.at_most / max(self.images, 1)

    def sentence(self) -> str:
        """Say it."""
        text = f"At most {self.percent:.1f} % of the labels are wrong, with 95 % confidence"
        if self.corrected:
            text += f", after {self.corrected} corrections"
        text += f" ({self.looks} of {self.images} images reviewed, {self.wrong} labels wrong)."
        return text


class Review:
    """A review of given labels.

    Args:
        order: the order of the review.
        given: row of the data set → given class.
        settled: row of the data set → what reviewers said.
    """

    def __init__(
        self, order: ReviewOrder, given: Mapping[int, int], settled: Mapping[int, Settled]
    ):
        self._order = order
        self._given = given
        self._settled = settled
        marked = order.marked
        # Places in `order` of the images of both strata, by their turn.
        by_turn = np.argsort(order.turn)
        self._turns = [by_turn[marked[by_turn]], by_turn[~marked[by_turn]]]

    # --- the certificate ---

    def is_wrong(self, row: int) -> bool:
        """Return whether the label of a reviewed image counts as wrong."""
        found = self._settled[row]
        return found.outcome != "label" or found.label != self._given[row]

    def _is_corrected(self, row: int) -> bool:
        """Return whether a wrong label is replaced, or its image left out."""
        return self.is_wrong(row) and self._settled[row].outcome in ("label", "unusable")

    def strata(self) -> list[Stratum]:
        """Return what was seen of both strata in their random orders."""
        found = []
        for turns in self._turns:
            wrong = self._order.wrong[turns]
            stratum = Stratum(len(turns), float(wrong.mean()) if len(turns) else 0.0)
            for row in self._order.rows[turns].tolist():
                if row not in self._settled:
                    break
                stratum.looks += 1
                stratum.wrong += self.is_wrong(row)
            found.append(stratum)
        return found

    def certificate(self) -> Certificate:
        """Return what was found, and the bound of what is left."""
        strata = self.strata()
        images = len(self._order.rows)
        wrong = sum(self.is_wrong(row) for row in self._settled)
        corrected = sum(self._is_corrected(row) for row in self._settled)
        known_right = len(self._settled) - wrong
        bound = min(at_most(strata), images - known_right)
        left = max(bound - corrected, wrong - corrected)
        return Certificate(
            images=images,
            looks=len(self._settled),
            counted=int(sum(stratum.looks for stratum in strata)),
            wrong=wrong,
            corrected=corrected,
            at_most=left,
            step=self._step(left),
        )

    def plan(self) -> str:
        """Say how many more looks the next step of the certificate takes; empty: there is none."""
        certificate = self.certificate()
        if certificate.step is None:
            return ""
        target = self._target(certificate.step, certificate.corrected)
        return f"About {looks_until(self.strata(), target)} more looks to {certificate.step:g} %."

    def _step(self, left: int) -> float | None:
        """Return the next lower percentage that is aimed at."""
        percent = 100 * left / max(len(self._order.rows), 1)
        return next((step for step in STEPS if step < percent), None)

    def _target(self, step: float, corrected: int) -> int:
        """Return the least total of wrong labels that must be refuted for a percentage."""
        return int(step / 100 * len(self._order.rows)) + corrected + 1

    # --- the images ---

    def next_rows(self, count: int, mode: Mode, shown: Collection[int], reviewer: str) -> list[int]:
        """Return the images to show next.

        Args:
            count: how many.
            mode: which images come first.
            shown: rows that wait in the page already.
            reviewer: who asks; `second` shows what this reviewer has not seen.
        """
        if mode == "second":
            return self._second_looks(shown, reviewer)[:count]
        found: list[int] = []
        waiting = _Waiting(self._settled, shown, found)
        place = self._useful_stratum()
        before = len(self._settled) + len(shown)
        for number in range(before, before + count):
            random = mode == "certificate" or number % RANDOM_EVERY == RANDOM_EVERY - 1
            row = None
            if random:
                row = self._by_turn(place, waiting)
            if row is None:
                row = next((r for r in self._order.rows.tolist() if r not in waiting), None)
            if row is None:
                break
            found.append(row)
        return found

    def _useful_stratum(self) -> int:
        """Return the stratum in which a random look lowers the bound most."""
        certificate = self.certificate()
        step = certificate.step or STEPS[-1]
        return next_stratum(self.strata(), self._target(step, certificate.corrected))

    def _by_turn(self, place: int, waiting: "_Waiting") -> int | None:
        """Return the next image of a stratum's random order; the other one's if it has none."""
        for turns in (self._turns[place], self._turns[1 - place]):
            for row in self._order.rows[turns].tolist():
                if row not in waiting:
                    return int(row)
        return None

    def _second_looks(self, shown: Container[int], reviewer: str) -> list[int]:
        """Return what others decided: disputed and unsure images first, in the review's order."""
        unseen = [
            row
            for row in self._order.rows.tolist()
            if row in self._settled
            and row not in shown
            and reviewer not in self._settled[row].reviewers
        ]
        open_first = {"disputed": 0, "unsure": 1}
        return sorted(unseen, key=lambda row: open_first.get(self._settled[row].outcome, 2))


class _Waiting:
    """Rows that need not be shown: settled, in the page already, or just chosen."""

    def __init__(self, *parts: Container[int]):
        self._parts = parts

    def __contains__(self, row: object) -> bool:
        return any(row in part for part in self._parts)
