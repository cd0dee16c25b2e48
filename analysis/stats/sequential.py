"""Judgement of arms while seeds are added: each question is closed as soon as it is answered.

Every arm of a family asks one question about the center of its paired differences, and one about
its failures. The confidence sequence of the center answers the first: better or worse if 0 is
outside, equivalent if it is within ± the margin. At most one of these answers can be wrong, and a
wrong one means that the sequence has missed the center. The errors of all arms of a family sum to
at most ALPHA. The arms of a generation share its part equally, and a closed question hands its part
on to those that are open (Holm's procedure, which holds at every look for always-valid p values).

`judge` is a function of the results of the first seeds in their registered order alone. It
therefore gives the same answers whatever the order in which trials end.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.stats.attainable_p import ALPHA, CENTERS
from analysis.stats.confidence_sequence import (
    center_interval,
    center_winnings,
    mean_interval,
    mean_winnings,
    most_winnings,
)

Verdict = Literal[
    "better", "worse", "equivalent", "worse by failures", "better by failures", "inconclusive"
]

RESERVE = 0.2
"""Part of a family's error for arms that join a study which has begun."""


@dataclass(frozen=True)
class Question:
    """An arm's paired results, in the registered order of the seeds since it joined.

    Attributes:
        differences: arm − baseline (n,), in points; NaN for a seed on which either run failed.
        failures: 1 if only the arm's run failed, −1 if only the baseline's, else 0 (n,).
        generation: 0 for the arms of the first run, 1 for those that joined first, ….
    """

    differences: np.ndarray
    failures: np.ndarray
    generation: int = 0


@dataclass(frozen=True)
class Answer:
    """What the seeds say of an arm.

    Attributes:
        verdict: direction and kind of the answer.
        seeds: number of seeds after which it was given; if it is inconclusive, those judged so far.
        alpha: the arm's part of the family's error then.
    """

    verdict: Verdict
    seeds: int
    alpha: float

    @property
    def decided(self) -> bool:
        """Whether the question is closed."""
        return self.verdict != "inconclusive"


@dataclass(frozen=True)
class Intervals:
    """Confidence sequences behind an answer, at the arm's part of the error.

    Attributes:
        low, high: of the center, in points.
        rate_low, rate_high: of the arm's rate of failures minus the baseline's.
        p: always-valid p value of "the center is 0", not adjusted for other arms.
    """

    low: float
    high: float
    rate_low: float
    rate_high: float
    p: float


def judge(questions: Sequence[Question], margin: float, at_least: int) -> list[Answer]:
    """Answer the questions of a family, look by look.

    A look is a number of seeds, from `at_least` on. An arm that lacks seeds at a look is undecided
    there, and keeps its part of the error.

    Args:
        questions: all arms of the family that have ever joined.
        margin: equivalence margin in points.
        at_least: number of seeds at the first look.
    """
    answers: dict[int, Answer] = {}
    for generation in {question.generation for question in questions}:
        members = {}
        for place, question in enumerate(questions):
            if question.generation == generation:
                members[place] = _Evidence(question, margin)
        answers |= _judge_generation(members, share(generation), at_least)
    return [answers[place] for place in range(len(questions))]


def share(generation: int) -> float:
    """Return a generation's part of the family's error; all parts sum to ALPHA."""
    if generation == 0:
        return ALPHA * (1 - RESERVE)
    part: float = ALPHA * RESERVE / 2**generation
    return part


def fewest_seeds(questions: int, generation: int = 0) -> int:
    """Return after how many seeds one of a generation's questions can be answered at the earliest.

    None can be before, however large the differences are.
    """
    enough = 2 * questions / (CENTERS * share(generation))
    seeds = 1
    while most_winnings(seeds) < enough:
        seeds += 1
    return seeds


def _judge_generation(
    members: dict[int, "_Evidence"], part: float, at_least: int
) -> dict[int, Answer]:
    """Close questions look by look; return the answers by place."""
    answers: dict[int, Answer] = {}
    undecided = dict(members)
    last = max(member.seeds for member in members.values())
    for look in range(at_least, last + 1):
        closed = _close(undecided, part, look)
        while closed:
            answers |= closed
            for place in closed:
                del undecided[place]
            closed = _close(undecided, part, look)
    for place, member in undecided.items():
        answers[place] = Answer("inconclusive", member.seeds, part / len(undecided))
    return answers


def _close(undecided: dict[int, "_Evidence"], part: float, look: int) -> dict[int, Answer]:
    """Return the questions that can be answered when each has an equal part of the error."""
    closed = {}
    for place, member in undecided.items():
        if member.seeds >= look:
            answer = member.decide(look, part / len(undecided))
            if answer is not None:
                closed[place] = answer
    return closed


def seeds_to_train(questions: Sequence[Question], margin: float, at_least: int) -> list[int]:
    """Return the number of seeds that each open question of a generation needs now.

    That is one more than all of them have, and those on which nothing can depend: a seed doubles
    the winnings at most, so that the next ones may be unable to decide, whatever their results.

    Args:
        questions: the open questions of one generation.
        margin, at_least: as in `judge`.
    """
    common = min(len(question.differences) for question in questions)
    needed = []
    for question in questions:
        evidence = _Evidence(question, margin)
        certain = evidence.seeds + evidence.seeds_to_decision(share(question.generation))
        needed.append(max(at_least, common + 1, certain))
    return needed


def intervals(question: Question, answer: Answer) -> Intervals:
    """Return the confidence sequences of an arm after the seeds of its answer."""
    differences = question.differences[: answer.seeds]
    paired = differences[~np.isnan(differences)]
    low, high = center_interval(paired, CENTERS * answer.alpha)
    failures = question.failures[: answer.seeds]
    rate_low, rate_high = mean_interval(failures, (1 - CENTERS) * answer.alpha)
    zero = np.zeros(1)
    winnings = [_greatest(center_winnings(side, zero))[0, -1] for side in (paired, -paired)]
    p = min(1.0, 2 / max(winnings))
    return Intervals(low, high, rate_low, rate_high, p)


class _Evidence:
    """The winnings of an arm against what its answers would deny, after each of its seeds."""

    def __init__(self, question: Question, margin: float):
        self.seeds = len(question.differences)
        self._margin = margin
        paired = ~np.isnan(question.differences)
        self._pairs = np.concatenate([[0], np.cumsum(paired)])
        self._differences = question.differences[paired]
        values = np.array([-margin, 0.0])
        self._above = _greatest(center_winnings(self._differences, values))
        """Against "the center is at most" −margin and 0."""
        self._below = _greatest(center_winnings(-self._differences, values))
        """Against "the center is at least" margin and 0."""
        self._more = _greatest(mean_winnings(question.failures, values[1:]))[0]
        """Against "the arm does not fail more often"."""
        self._fewer = _greatest(mean_winnings(-question.failures, values[1:]))[0]

    def decide(self, seeds: int, alpha: float) -> Answer | None:
        """Return the answer after these seeds; None if there is none yet."""
        center = self._center(self._pairs[seeds], CENTERS * alpha)
        enough = 2 / ((1 - CENTERS) * alpha)
        if center in ("better", "worse"):
            return Answer(center, seeds, alpha)
        if self._more[seeds] >= enough:
            return Answer("worse by failures", seeds, alpha)
        if self._fewer[seeds] >= enough:
            return Answer("better by failures", seeds, alpha)
        if center == "equivalent":
            return Answer(center, seeds, alpha)
        return None

    def _center(self, pairs: int, alpha: float) -> Verdict:
        """Return what the confidence sequence of the center says after these pairs.

        The whole sequence is looked at, because winnings need not fall with the center; but only
        where some answer is near, because that takes long.
        """
        if self._promise(pairs) < 2 / alpha:
            return "inconclusive"
        interval = _interval(self._differences[:pairs].tobytes(), alpha)
        return _of_interval(interval, self._margin)

    def _promise(self, pairs: int) -> float:
        """Return the winnings for the answer about the center that is nearest."""
        different = max(self._above[1, pairs], self._below[1, pairs])
        equivalent = min(self._above[0, pairs], self._below[0, pairs])
        nearest: float = max(different, equivalent)
        return nearest

    def seeds_to_decision(self, alpha: float) -> int:
        """Return after how many more seeds the arm can be decided at the earliest.

        It may then have all of `alpha`, and be lucky on every seed.
        """
        center = CENTERS * alpha * self._promise(self._pairs[-1])
        failures = (1 - CENTERS) * alpha * max(self._more[-1], self._fewer[-1])
        return max(0, int(np.ceil(np.log2(2 / max(center, failures)))))


def _greatest(winnings: np.ndarray) -> np.ndarray:
    """Return the greatest winnings up to each seed, from 1 before the first: (k, n + 1)."""
    start = np.ones((len(winnings), 1))
    with_start = np.concatenate([start, winnings], axis=1)
    greatest: np.ndarray = np.maximum.accumulate(with_start, axis=1)
    return greatest


@functools.lru_cache(maxsize=10_000)
def _interval(differences: bytes, alpha: float) -> tuple[float, float]:
    """Return the confidence sequence of differences, float64 (n,), which takes 30 ms once."""
    return center_interval(np.frombuffer(differences), alpha)


def _of_interval(interval: tuple[float, float], margin: float) -> Verdict:
    """Return the answer of a confidence sequence; none if it is empty."""
    low, high = interval
    if low > high:
        return "inconclusive"
    if low > 0:
        return "better"
    if high < 0:
        return "worse"
    if low > -margin and high < margin:
        return "equivalent"
    return "inconclusive"
