"""Main effects and two-way interactions of a product of two-valued factors, paired by seed."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from analysis.results.read import Results, value_at
from analysis.results.study_plan import BASELINE
from analysis.stats.attainable_p import ALPHA
from analysis.stats.comparison import verdict
from analysis.stats.multiple_testing import holm
from analysis.stats.paired import paired
from trainable.storage.names import LAST10

Cell = tuple[Any, ...]
COLUMNS = ["setting", "kind", "effect", "pairs", "difference", "low", "high", "p"]


def effects(results: Results) -> pd.DataFrame:
    """Estimate effects: one row per setting and effect of a product of two-valued factors.

    The table is empty for other studies. A main effect is the change of accuracy (points) from a
    factor's first value to its second, averaged over the others. An interaction is the difference
    of this change between the values of another factor. Each seed with all cells completed gives
    one number. Columns: setting, kind (`main`, `interaction`), effect, pairs, difference,
    low, high (95 % t interval), p (exact sign-flip), p_holm (adjusted within setting and kind),
    verdict (`withheld` if the test labels are unchecked).
    """
    rows = []
    for setting in results.settings:
        rows += _effects_in(results, setting)
    table = pd.DataFrame(rows, columns=COLUMNS)
    families = table.groupby(["setting", "kind"])
    table["p_holm"] = families["p"].transform(lambda p: holm(p.to_numpy(float)))
    table["verdict"] = [
        results.measure.allowed(
            verdict({**row, "p_adjusted": row["p_holm"]}, results.margin, ALPHA)
        )
        for row in table.to_dict("records")
    ]
    return table


def _effects_in(results: Results, setting: str) -> list[dict[str, Any]]:
    """Return the rows of one setting, without `p_holm` and `verdict`."""
    cells = product(results, setting)
    levels = _two_valued(cells)
    done = results.done[results.done["setting"] == setting]
    if not levels or LAST10 not in done:
        return []
    table = done.pivot(index="seed", columns="arm", values=LAST10)
    values = table.reindex(columns=list(cells)).dropna().to_numpy(float)
    labels = [path.rsplit(".", 1)[-1] for path in results.factors]
    rows = []
    for kind, effect, signs in _contrasts(labels, levels, list(cells.values())):
        scale = 2 if kind == "interaction" else 1
        test = paired(values @ signs * scale / (len(cells) / 2))
        rows.append(
            {
                "setting": setting,
                "kind": kind,
                "effect": effect,
                "pairs": test.n,
                "difference": test.mean,
                "low": test.low,
                "high": test.high,
                "p": test.p,
            }
        )
    return rows


def _two_valued(cells: dict[str, Cell]) -> list[list[Any]]:
    """Return the two values of each factor, in the order of the cells.

    Empty unless the cells are all combinations of two or more two-valued factors. It is also empty
    if a cell has no completed trial.
    """
    levels = []
    for column in zip(*cells.values(), strict=True):
        distinct = list(dict.fromkeys(column))
        if len(distinct) != 2:
            return []
        levels.append(distinct)
    combinations = 2 ** len(levels)
    if len(levels) < 2 or len(cells) != combinations:
        return []
    return levels


def product(results: Results, setting: str) -> dict[str, Cell]:
    """Return arm → its values of the study's factors, for a product of factors.

    The baseline is included if it is a cell.
    """
    planned = results.trials[results.trials["setting"] == setting]
    arms = [BASELINE, *planned.loc[planned["family"] == "product", "arm"].unique()]
    if len(arms) == 1:
        return {}
    cells: dict[str, Cell] = {}
    for arm in arms:
        cell = _values(results, setting, arm)
        if cell is not None:
            cells[arm] = cell
    own = cells.pop(BASELINE, None)
    if own is not None and _is_cell(own, list(cells.values())):
        return {BASELINE: own, **cells}
    return cells


def _is_cell(own: Cell, crossed: list[Cell]) -> bool:
    """Return whether every value of `own` is a value of its factor in the crossed cells."""
    levels = [set(column) for column in zip(*crossed, strict=True)]
    if not levels:
        return False
    return all(value in known for value, known in zip(own, levels, strict=False))


def _values(results: Results, setting: str, arm: str) -> Cell | None:
    """Return an arm's values of the factors, lists as tuples; None if no trial is done."""
    trial = results.first_done(setting, arm)
    if trial is None:
        return None
    values = []
    for path in results.factors:
        value = value_at(results.config(trial), path)
        if isinstance(value, list):
            value = tuple(value)
        values.append(value)
    return tuple(values)


def _contrasts(
    labels: list[str], levels: list[list[Any]], cells: list[Cell]
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield (kind, name, contrast: sign ±1 of each cell (cells,))."""
    signs = {}
    for factor, label in enumerate(labels):
        first, second = levels[factor]
        at_second = np.array([cell[factor] == second for cell in cells])
        signs[factor] = np.where(at_second, 1, -1)
        effect = f"{label}: {first} → {second}"
        yield "main", effect, signs[factor]
    for one, other in itertools.combinations(signs, 2):
        effect = f"{labels[one]} × {labels[other]}"
        yield "interaction", effect, signs[one] * signs[other]
