"""Sentences on the ranks of a search: which trials the validation labels do not tell apart.

The module loads neither pandas nor Optuna, because `plan` uses it.
"""

from pathlib import Path

from analysis.stats.selection_noise import ERRORS, Ranks, read_ranks
from trainable.storage.names import RUNS
from trainable.storage.wording import first_names

SHOWN = 4
"""Number of trials that are named."""


def sentence_of(root: Path, search: str, arm: str | None, seeds: list[int]) -> str | None:
    """Return what the ranks of a search are worth; None: too few of its trials are done.

    Args:
        root: results of the study.
        search: name of the search.
        arm: the arm that it tunes; None: it is the only search of the study.
        seeds: seeds of the search.
    """
    found = read_ranks(root / RUNS / (arm or ""), seeds)
    return None if found is None else sentence(found, search)


def sentence(ranks: Ranks, search: str) -> str:
    """Write which trials are not told apart from the best one, and what difference would be."""
    labels = f"{ranks.images} validation labels"
    if ranks.seeds > 1:
        labels += f" in each of {ranks.seeds} seeds"
    best = f"{ranks.best.trial} ({ranks.best.score:.2f})"
    untold = ranks.not_told_apart
    if untold:
        others = first_names([f"{rank.trial} ({rank.score:.2f})" for rank in untold], SHOWN)
        text = f"{labels} do not tell the best trial, {best}, apart from {others}"
    else:
        text = f"{labels} tell the best trial, {best}, apart from all others"
    return f"search {search}: {text}. {_needed(ranks)}"


def _needed(ranks: Ranks) -> str:
    """Write which difference would be told apart, also in points of accuracy."""
    text = (
        f"A difference to the next one is told from {ranks.needed:.2g} points on "
        f"({ERRORS} standard errors)"
    )
    factor = ranks.factor
    if factor is None or not ranks.best.wrong:
        return text
    wrong = f"{100 * ranks.best.wrong:.0f} %"
    how = "" if ranks.best.counted else ", as the division estimates"
    return (
        f"{text}: {ranks.needed / factor:.2g} points of accuracy, if {wrong} of the labels are "
        f"wrong at random{how}"
    )
