"""Questions of a sequential study and their answers, from the results of its trials."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.results.study_plan import BASELINE, Joined, SequentialDesign
from analysis.results.trial_failures import Outcome
from analysis.stats.sequential import Answer, Question, judge, seeds_to_train

Outcomes = Mapping[tuple[str | None, str, int], Outcome]
"""(setting, arm, seed) → how the run has ended. Others have no result yet."""


@dataclass(frozen=True)
class Judged:
    """An arm, its paired results and its answer."""

    arm: Joined
    question: Question
    answer: Answer


def judge_study(design: SequentialDesign, margin: float, outcomes: Outcomes) -> list[Judged]:
    """Answer the questions of all families and settings."""
    judged = []
    for arms in _families(design):
        questions = [question(arm, design, outcomes) for arm in arms]
        answers = judge(questions, margin, design.at_least)
        judged += [Judged(*each) for each in zip(arms, questions, answers, strict=True)]
    return judged


def _families(design: SequentialDesign) -> list[list[Joined]]:
    """Group the arms whose errors are summed."""
    families: dict[tuple[str | None, str], list[Joined]] = {}
    for arm in design.arms:
        families.setdefault((arm.setting, arm.family), []).append(arm)
    return list(families.values())


def question(arm: Joined, design: SequentialDesign, outcomes: Outcomes) -> Question:
    """Return an arm's paired results, up to the first seed that is not complete."""
    differences = []
    failures = []
    any_failed = []
    for seed in design.seeds[arm.start :]:
        own = outcomes.get((arm.setting, arm.arm, seed))
        other = outcomes.get((arm.setting, BASELINE, seed))
        if own is None or other is None:
            break
        failures.append(own.failed - other.failed)
        any_failed.append(own.failed or other.failed)
        if own.accuracy is None or other.accuracy is None:
            differences.append(np.nan)
        else:
            differences.append(own.accuracy - other.accuracy)
    pairs = without_failures(np.array(differences), np.array(any_failed, bool), design.at_least)
    return Question(pairs, np.array(failures, float), arm.generation)


def without_failures(differences: np.ndarray, any_failed: np.ndarray, at_first: int) -> np.ndarray:
    """Return the differences (n,), NaN on seeds on which a run has failed.

    Where that is usual, on more than half of the first seeds, nothing is taken out: networks that
    are trained shortly, or for many classes, predict some of them rarely without having failed.

    Args:
        differences: arm − baseline (n,); NaN on seeds on which a run has no result.
        any_failed: whether the arm's or the baseline's run has failed (n,).
        at_first: number of seeds that decide what is usual.
    """
    first = any_failed[:at_first]
    if first.sum() * 2 > len(first):
        return differences
    return np.where(any_failed, np.nan, differences)


def seeds_needed(
    design: SequentialDesign, margin: float, judged: list[Judged]
) -> dict[tuple[str | None, str], range]:
    """Return (setting, arm) → the seeds that the questions need now, finished ones included.

    The baseline has those of all arms that are compared with it.

    Args:
        design: the study's seeds.
        margin: equivalence margin in points.
        judged: the arms that may be trained, as judged by `judge_study`.
    """
    needed: dict[tuple[str | None, str], range] = {}
    generations: dict[tuple[str | None, str, int], list[Judged]] = {}
    for each in judged:
        arm = each.arm
        if each.answer.decided:
            needed[arm.setting, arm.arm] = _seeds(design, arm, each.answer.seeds)
        else:
            place = (arm.setting, arm.family, arm.generation)
            generations.setdefault(place, []).append(each)
    for members in generations.values():
        counts = seeds_to_train([each.question for each in members], margin, design.at_least)
        for each, count in zip(members, counts, strict=True):
            needed[each.arm.setting, each.arm.arm] = _seeds(design, each.arm, count)
    return needed


def _seeds(design: SequentialDesign, arm: Joined, count: int) -> range:
    return design.seeds[arm.start : arm.start + count]
