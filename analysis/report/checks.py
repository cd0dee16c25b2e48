"""How many checked test labels a difference would need, for the networks of a study."""

from collections.abc import Iterator

from analysis.report.cells import arm_name
from analysis.report.evidence import evidence_of
from analysis.results.read import Results
from analysis.stats.checks_needed import INFINITE, Checks, checks_before
from analysis.stats.comparison import counted_pairs

POINTS = (1, 2, 5)
"""Differences of accuracy that are told of, in points."""
ARMS = 3
"""Number of arms of a setting that are told of, unless the study names a primary one."""


def checks_needed(results: Results) -> Iterator[str]:
    """Yield a sentence for each setting and arm with unchecked test labels and completed pairs.

    Nothing is yielded for a setting whose test labels have all been checked.
    """
    if results.measure.decides:
        return
    for setting in results.settings:
        evidence = evidence_of(results, setting)
        predictions = evidence.predictions
        if predictions is None or evidence.all_checked:
            continue
        for arm in _arms(results, setting):
            seeds = counted_pairs(results, setting, arm).index.tolist()
            both = predictions.pair(arm, seeds)
            if both is not None:
                found = checks_before(*both, predictions.labels)
                yield f"{arm_name(setting, arm)}: {_sentence(found, len(seeds))}"


def _arms(results: Results, setting: str) -> list[str]:
    """Return the primary arm, or the first ones that are compared with the baseline."""
    here = results.trials[results.trials["setting"] == setting]
    compared = here.loc[here["baseline"].notna(), "arm"].unique().tolist()
    if results.primary in compared:
        return [str(results.primary)]
    return [str(arm) for arm in compared[:ARMS]]


def _sentence(checks: Checks, seeds: int) -> str:
    """Write how many checks find which differences, and when more do not pay."""
    if not checks.differ:
        return "predicts as the baseline does on all test images, so no check tells them apart"
    needed = [
        f"{points} {'point' if points == 1 else 'points'} with {_count(checks.to_find(points))}"
        for points in POINTS
    ]
    text = (
        f"differs from the baseline on {100 * checks.differ:.0f} % of {checks.images} test images. "
        f"Random checks that find a difference with a chance of 80 %: {', '.join(needed)}"
    )
    if checks.seed_error:
        text += (
            f". More than {checks.worth_doing():.0f} checks do not pay: {seeds} seeds are the rest "
            "of the error"
        )
    return text


def _count(number: float) -> str:
    return "no number at these seeds" if number == INFINITE else f"{number:.0f}"
