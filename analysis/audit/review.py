"""State of a review: which images come next, what was found, and what that certifies."""

import copy
from collections import deque
from collections.abc import Collection, Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.audit.decisions import Settled
from analysis.audit.review_order import ReviewOrder
from analysis.stats.certificate import Bound, next_step

RANDOM_EVERY = 8
"""Number of images shown by suspicion of which one is the next of the certificate instead."""
KEPT = 100
"""Looks that can be taken back without counting all others anew."""
Mode = Literal["suspicious", "certificate", "second"]
"""Most suspicious images first, those that the certificate counts next, or images that others
decided and that are not settled or were not seen by this reviewer."""


@dataclass(frozen=True)
class Certificate:
    """What a review has shown.

    Attributes:
        images: number of images.
        looks: number of images with a decision.
        counted: those whose turn in the random order has come; they lower the bound.
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
        text += f" ({self.looks} of {self.images} images reviewed, {self.counted} of them counted "
        text += f"in random order; {self.wrong} labels wrong)."
        return text


class Review:
    """A review of given labels. What a change of a decision costs does not depend on the images.

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
        self._settled: dict[int, Settled] = {}
        self._wrong = 0
        self._corrected = 0
        self._rows: list[int] = order.rows.tolist()
        self._open = 0  # place in `_rows` before which all images are settled
        self._place = {row: place for place, row in enumerate(self._rows)}
        marked = order.marked
        by_turn = np.argsort(order.turn)
        strata = [by_turn[marked[by_turn]], by_turn[~marked[by_turn]]]
        self._turns = [order.rows[places].tolist() for places in strata]
        expected = [float(order.wrong[places].mean()) if len(places) else 0.0 for places in strata]
        self._nothing_counted = Bound(
            sizes=(len(strata[0]), len(strata[1])), expected=(expected[0], expected[1])
        )
        self._draws = order.draws.tolist()
        self._begin()
        self.update(settled)

    # --- the certificate ---

    def update(self, changes: Mapping[int, Settled | None]) -> None:
        """Heed what reviewers say now of some images; None: nothing any more."""
        for row, found in changes.items():
            before = self._settled.pop(row, None)
            if before is not None:
                self._wrong -= self._means_wrong(row, before)
                self._corrected -= self._means_corrected(row, before)
            if found is not None:
                self._settled[row] = found
                self._wrong += self._means_wrong(row, found)
                self._corrected += self._means_corrected(row, found)
            else:
                self._open = min(self._open, self._place[row])
        while self._open < len(self._rows) and self._rows[self._open] in self._settled:
            self._open += 1
        self._go_back(changes)
        self._count()

    def _means_wrong(self, row: int, found: Settled) -> bool:
        """Return whether the label of an image counts as wrong by what was said."""
        return found.outcome != "label" or found.label != self._given[row]

    def _means_corrected(self, row: int, found: Settled) -> bool:
        """Return whether a wrong label is replaced, or its image left out."""
        return self._means_wrong(row, found) and found.outcome in ("label", "unusable")

    def is_wrong(self, row: int) -> bool:
        """Return whether the label of a reviewed image counts as wrong."""
        return self._means_wrong(row, self._settled[row])

    def _begin(self) -> None:
        """Count no look."""
        self._bound = copy.deepcopy(self._nothing_counted)
        self._counted: list[tuple[int, bool]] = []  # rows, and whether their labels are wrong
        self._earlier: deque[Bound] = deque(maxlen=KEPT)  # before each of the last looks

    def _go_back(self, changes: Container[int]) -> None:
        """Take back the looks from the first one that has changed."""
        still = 0
        while still < len(self._counted) and self._is_as_counted(*self._counted[still], changes):
            still += 1
        if len(self._counted) - still > len(self._earlier):
            self._begin()
        while len(self._counted) > still:
            self._counted.pop()
            self._bound = self._earlier.pop()

    def _is_as_counted(self, row: int, wrong: bool, changes: Container[int]) -> bool:
        """Return whether a counted look has not changed."""
        if row not in changes:
            return True
        return row in self._settled and self.is_wrong(row) == wrong

    def _count(self) -> None:
        """Count the looks whose turn has come."""
        while len(self._counted) < len(self._rows):
            place, row = self._turn(self._bound)
            if row not in self._settled:
                return
            wrong = self.is_wrong(row)
            self._earlier.append(copy.deepcopy(self._bound))
            self._counted.append((row, wrong))
            _look(self._bound, place, wrong)

    def _turn(self, bound: Bound) -> tuple[int, int]:
        """Return the stratum and the row of the image that is counted next."""
        looks = bound.looks[0]
        place = int(self._draws[looks.sum()] >= bound.share[0])
        return place, self._turns[place][looks[place]]

    def certificate(self) -> Certificate:
        """Return what was found, and the bound of what is left."""
        images = len(self._rows)
        known_right = len(self._settled) - self._wrong
        bound = min(int(self._bound.at_most()[0]), images - known_right)
        left = max(bound, self._wrong) - self._corrected
        return Certificate(
            images=images,
            looks=len(self._settled),
            counted=len(self._counted),
            wrong=self._wrong,
            corrected=self._corrected,
            at_most=left,
            step=next_step(100 * left / max(images, 1)),
        )

    def plan(self) -> str:
        """Say how many more looks the next step of the certificate takes; empty: there is none."""
        step = self.certificate().step
        if step is None:
            return ""
        # The bound counts the wrong labels in random order; others are corrected, too.
        others = self._corrected - sum(wrong for _, wrong in self._counted)
        left = max(int(step / 100 * len(self._rows)) + others, 0)
        looks = int(self._bound.looks_until(left)[0])
        return f"About {looks} more looks in random order to {step:g} %."

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
        counted_next = self._counted_next(waiting)
        suspicious = (row for row in self._rows[self._open :] if row not in waiting)
        before = len(self._settled) + len(shown)
        for number in range(before, before + count):
            random = mode == "certificate" or number % RANDOM_EVERY == RANDOM_EVERY - 1
            row = next(counted_next, None) if random else None
            if row is None:
                row = next(suspicious, None)
            if row is None:
                break
            found.append(row)
        return found

    def _counted_next(self, waiting: Container[int]) -> Iterator[int]:
        """Yield the images that are counted next if the labels of those before are right."""
        bound = copy.deepcopy(self._bound)
        for _ in range(min(KEPT, int(bound.left.sum()))):
            place, row = self._turn(bound)
            if row not in waiting:
                yield row
            _look(bound, place, row in self._settled and self.is_wrong(row))

    def _second_looks(self, shown: Container[int], reviewer: str) -> list[int]:
        """Return what others decided: disputed and unsure images first, in the review's order."""
        unseen = [
            row
            for row in self._rows
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


def _look(bound: Bound, place: int, wrong: bool) -> None:
    """Count a look."""
    bound.count(np.array([place]), np.array([wrong]))
