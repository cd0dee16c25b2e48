"""What the judgement of studies that add seeds is worth: errors, power and trials, by simulation.

    python benchmarks/sequential.py [--studies 2000]

Each study has six arms that share a baseline; four join at the start, two once the baseline has 12
seeds. It is looked at after every seed from the sixth to the 64th, so that a stop at any time makes
fewer errors than are counted here. Differences have a standard deviation of 1. The judge is that
of the product; the seeds are fixed. Prints the tables of docs/statistics.md.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from analysis.stats.max_t import max_t  # noqa: E402
from analysis.stats.sequential import Question, judge  # noqa: E402

ARMS, MOST, AT_LEAST, JOINS = 6, 64, 6, 12
FAILING = 0.1
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]

RUNS: dict[str, Draw] = {
    "Gaussian": lambda rng, shape: rng.normal(size=shape),
    "t3": lambda rng, shape: rng.standard_t(3, size=shape) / np.sqrt(3),
    "skewed runs": lambda rng, shape: rng.exponential(size=shape) - 1,
    "k/360": lambda rng, shape: np.round(rng.normal(size=shape) * 1.8) / 1.8,
}
"""Accuracies of single runs with an sd of one. Differences of like runs are symmetric."""


def study(
    rng: np.random.Generator,
    draw: Draw,
    effects: list[float],
    failing: tuple[float, float] = (0.0, 0.0),
    late: bool = True,
    skewed: bool = False,
) -> list[Question]:
    """Return the questions of one simulated study.

    Args:
        rng: its random numbers.
        draw: draws accuracies of runs.
        effects: true difference of each arm, in sd of the paired differences.
        failing: share of failed runs of the arms and of the baseline.
        late: whether the last two arms join later.
        skewed: whether the arms' runs are skewed (with the mean of their center) and the
            baseline's are not.
    """
    baseline = draw(rng, (MOST,)) / np.sqrt(2)
    arms = draw(rng, (len(effects), MOST)) / np.sqrt(2)
    if skewed:
        arms = (rng.exponential(size=arms.shape) - np.log(2)) / np.sqrt(2)
    arm_fails = rng.random(arms.shape) < failing[0]
    baseline_fails = rng.random(MOST) < failing[1]
    questions = []
    for k, effect in enumerate(effects):
        differences = arms[k] - baseline + effect
        differences[arm_fails[k] | baseline_fails] = np.nan
        failures = arm_fails[k].astype(float) - baseline_fails
        joins = late and k >= len(effects) - 2
        start = JOINS if joins else 0
        questions.append(Question(differences[start:], failures[start:], int(joins)))
    return questions


def share_wrong(studies: int, right: Callable[[str], bool], *args: object, **how: object) -> float:
    """Return the share of studies in which any arm has a wrong answer, in percent."""
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(studies):
        answers = judge(study(rng, *args, **how), 1.0, AT_LEAST)  # type: ignore[arg-type]
        wrong += any(not right(answer.verdict) for answer in answers)
    return 100 * wrong / studies


def errors(studies: int) -> None:
    """Print the errors of better/worse without a difference, and of equivalence at the margin."""
    bound = 5 + 200 * np.sqrt(0.05 * 0.95 / studies)
    print(f"\n{studies} studies a cell; 5 % + 2 standard errors is {bound:.1f} %\n")
    print("| runs | better or worse at a center of 0, % | equivalent at a center of ± margin, % |")
    print("| --- | --- | --- |")
    null = [0.0] * ARMS
    edge = [1.0, -1.0] * (ARMS // 2)
    cells = {name: {"draw": draw} for name, draw in RUNS.items()}
    gaussian = RUNS["Gaussian"]
    cells["Gaussian, 10 % of all runs fail"] = {"draw": gaussian, "failing": (FAILING, FAILING)}
    cells["Gaussian, 10 % of the arms' runs fail"] = {"draw": gaussian, "failing": (FAILING, 0.0)}
    cells["t3, 10 % of the baseline's runs fail"] = {"draw": RUNS["t3"], "failing": (0, FAILING)}
    cells["skewed to one side (no bound is claimed)"] = {"draw": gaussian, "skewed": True}
    for name, how in cells.items():
        draw = how.pop("draw")
        false = share_wrong(studies, lambda v: v not in ("better", "worse"), draw, null, **how)
        alike = share_wrong(studies, lambda v: v != "equivalent", draw, edge, **how)
        print(f"| {name} | {false:.1f} | {alike:.1f} |", flush=True)


def power(studies: int) -> None:
    """Print what is found of effects of 2, 1, 1, 0, 0, 0 sd, and with how many trials."""
    print(
        "\n| effects 2, 1, 1, 0, 0, 0; margin 1 sd | 2 sd found, % | 1 sd found, % | "
        "0 shown equivalent, % | decided, % | trials | of the fixed 448 |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    effects = [2.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    for name, failing in (("no failures", 0.0), ("10 % of all runs fail", FAILING)):
        rng = np.random.default_rng(1)
        verdicts = []
        trials = []
        for _ in range(studies):
            arms = study(rng, RUNS["Gaussian"], effects, (failing, failing), late=False)
            answers = judge(arms, 1.0, AT_LEAST)
            verdicts.append([answer.verdict for answer in answers])
            seeds = [answer.seeds for answer in answers]
            trials.append(sum(seeds) + max(seeds))
        found = np.array(verdicts)
        shares = [
            (found[:, 0] == "better").mean(),
            (found[:, 1:3] == "better").mean(),
            (found[:, 3:] == "equivalent").mean(),
            (found != "inconclusive").mean(),
        ]
        text = " | ".join(f"{100 * each:.1f}" for each in shares)
        mean = np.mean(trials)
        print(f"| {name} | {text} | {mean:.0f} | {mean / 448:.2f} |", flush=True)


def competitors(studies: int) -> None:
    """Print error and power of other designs on the same data: fixed, group-sequential, AdaStop."""
    print(
        "\n| design, at most 40 seeds | any error under the null, % | 2, 1, 1 sd found, % "
        "| trials |"
    )
    print("| --- | --- | --- | --- |")
    designs: dict[str, Callable[[np.ndarray], tuple[np.ndarray, int]]] = {
        "adds seeds, stops at a difference or equivalence": _ours,
        "fixed 8 seeds, joint sign flips": lambda d: _fixed(d, 8),
        "fixed 20 seeds": lambda d: _fixed(d, 20),
        "fixed 40 seeds": lambda d: _fixed(d, 40),
        "group-sequential sign flips, looks at 8, 12, 16, 20, 28, 40": _group_sequential,
    }
    if _adastop_is_installed():
        designs["AdaStop, groups of 8, at most 5 (unpaired)"] = _adastop
    for name, design in designs.items():
        wrong = found = trials = 0.0
        few = max(1, studies // 4) if name.startswith("AdaStop") else studies
        for number in range(few):
            rng = np.random.default_rng([2, number])
            base = rng.normal(size=(40, 1)) / np.sqrt(2)
            arms = rng.normal(size=(40, ARMS)) / np.sqrt(2)
            decided, _ = design(np.concatenate([base, arms], axis=1))
            wrong += decided.any()
            effects = np.array([2.0, 1, 1, 0, 0, 0])
            decided, used = design(np.concatenate([base, arms + effects], axis=1))
            found += decided[:3].mean()
            trials += used
        print(
            f"| {name} | {100 * wrong / few:.1f} | {100 * found / few:.1f} | {trials / few:.0f} |",
            flush=True,
        )


def _ours(runs: np.ndarray) -> tuple[np.ndarray, int]:
    differences = runs[:, 1:] - runs[:, :1]
    questions = [Question(column, np.zeros(len(column))) for column in differences.T]
    answers = judge(questions, 1.0, AT_LEAST)
    seeds = [answer.seeds for answer in answers]
    found = [answer.verdict in ("better", "worse") for answer in answers]
    return np.array(found), sum(seeds) + max(seeds)


def _fixed(runs: np.ndarray, seeds: int) -> tuple[np.ndarray, int]:
    differences = (runs[:, 1:] - runs[:, :1])[:seeds]
    return max_t(differences, 0.05).p <= 0.05, seeds * runs.shape[1]


def _group_sequential(runs: np.ndarray) -> tuple[np.ndarray, int]:
    """Joint sign flips at six looks, an equal part of the error at each (Bonferroni over looks)."""
    differences = runs[:, 1:] - runs[:, :1]
    looks = (8, 12, 16, 20, 28, 40)
    found = np.zeros(ARMS, bool)
    used = 0
    for before, look in zip((0, *looks), looks, strict=False):
        used += (look - before) * (1 + int((~found).sum()))
        undecided = np.flatnonzero(~found)
        found[undecided] = max_t(differences[:look, undecided], 0.05).p <= 0.05 / len(looks)
        if found.all():
            break
    return found, used


def _adastop_is_installed() -> bool:
    from importlib.util import find_spec

    return find_spec("adastop") is not None


def _adastop(runs: np.ndarray) -> tuple[np.ndarray, int]:
    """AdaStop's comparison of all arms with the baseline (TMLR 2024)."""
    from adastop import MultipleAgentsComparator

    names = ["baseline", *(f"arm{k}" for k in range(ARMS))]
    versus = np.array([(0, k + 1) for k in range(ARMS)])
    comparator = MultipleAgentsComparator(n=8, K=5, B=1000, comparisons=versus, alpha=0.05, seed=0)
    used = 0
    for end in range(8, 41, 8):
        values = {name: runs[:end, k] for k, name in enumerate(names)}
        undecided = sum(decision == "continue" for decision in _decisions(comparator, versus))
        used += 8 * (1 + undecided)
        comparator.partial_compare(values, verbose=False)
        if "continue" not in _decisions(comparator, versus):
            break
    decided = [decision in ("larger", "smaller") for decision in _decisions(comparator, versus)]
    return np.array(decided), used


def _decisions(comparator: Any, versus: np.ndarray) -> list[str]:
    """Return AdaStop's decision for each pair; all continue before the first look."""
    decisions = getattr(comparator, "decisions", None) or {}
    return [decisions.get(str(pair), "continue") for pair in versus]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000, help="simulated studies a cell")
    studies = parser.parse_args().studies
    errors(studies)
    power(studies)
    competitors(max(1, studies // 4))


if __name__ == "__main__":
    main()
