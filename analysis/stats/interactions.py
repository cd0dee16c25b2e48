"""Main effects and two-way interactions of a product of two-valued factors, paired by seed."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from analysis.results.read import Results, value_at
from analysis.stats.comparison import BASELINE, verdict
from analysis.stats.multiple_testing import holm
from analysis.stats.paired import paired
from trainable.storage.names import LAST10

Cell = tuple[Any, ...]


def effects(results: Results, metric: str = LAST10) -> pd.DataFrame:
    """One row a setting and effect; empty unless the study is a product of two-valued factors.

    A main effect is the mean change of `metric` (points) from a factor's first value to its second, over all values of
    the others; an interaction is how much the change by one factor differs between the values of another (over all
    values of the rest). Each seed that finished every cell gives one number. Columns: setting, kind (`main`,
    `interaction`), effect, pairs, difference, low, high (95 % t interval), p (exact sign-flip), p_holm (adjusted
    within setting and kind), verdict.
    """
    rows = []
    for setting in results.settings:
        cells = product(results, setting)
        levels = [list(dict.fromkeys(column)) for column in zip(*cells.values(), strict=True)]
        if (
            len(levels) < 2
            or any(len(values) != 2 for values in levels)
            or len(cells) != 2 ** len(levels)
        ):
            continue  # also where a cell has no finished trial at all
        done = results.done[results.done["setting"] == setting]
        if metric not in done:
            continue
        table = (
            done.pivot(index="seed", columns="arm", values=metric)
            .reindex(columns=list(cells))
            .dropna()
        )
        for kind, effect, contrast in _contrasts(
            [path.rsplit(".", 1)[-1] for path in results.factors], levels
        ):
            weights = np.array([contrast(cell) for cell in cells.values()])
            test = paired(
                table.to_numpy(float) @ weights * 2 ** (kind == "interaction") / (len(cells) / 2)
            )
            rows.append(
                {
                    "setting": setting,
                    "kind": kind,
                    "effect": effect,
                    "pairs": test.n,
                    "difference": test.mean,
                }
                | {"low": test.low, "high": test.high, "p": test.p}
            )
    table = pd.DataFrame(
        rows, columns=["setting", "kind", "effect", "pairs", "difference", "low", "high", "p"]
    )
    table["p_holm"] = table.groupby(["setting", "kind"])["p"].transform(
        lambda p: holm(p.to_numpy(float))
    )
    table["verdict"] = [verdict(row, results.margin) for row in table.to_dict("records")]
    return table


def product(results: Results, setting: str) -> dict[str, Cell]:
    """Arm → its values of the study's factors, for a study that crosses them; the baseline where it is a cell."""
    planned = results.trials[results.trials["setting"] == setting]
    arms = [BASELINE, *planned.loc[planned["family"] == "product", "arm"].unique()]
    if len(arms) == 1:
        return {}
    values = {arm: cell for arm in arms if (cell := _values(results, setting, arm)) is not None}
    levels = [
        set(column)
        for column in zip(*(v for arm, v in values.items() if arm != BASELINE), strict=True)
    ]
    own = values.get(BASELINE, ())
    if not levels or not all(value in known for value, known in zip(own, levels, strict=False)):
        values.pop(BASELINE, None)
    return values


def _values(results: Results, setting: str, arm: str) -> Cell | None:
    trial = results.first_done(setting, arm)
    if trial is None:
        return None
    values = (value_at(results.config(trial), path) for path in results.factors)
    return tuple(tuple(value) if isinstance(value, list) else value for value in values)


def _contrasts(names: list[str], levels: list[list[Any]]) -> Iterator[tuple[str, str, Any]]:
    """(kind, name, function of a cell: its sign in the contrast)."""

    def sign(factor: int, cell: Cell) -> int:
        return 1 if cell[factor] == levels[factor][1] else -1

    for k, name in enumerate(names):
        first, second = levels[k]
        yield "main", f"{name}: {first} → {second}", lambda cell, k=k: sign(k, cell)
    for a, b in itertools.combinations(range(len(names)), 2):
        yield (
            "interaction",
            f"{names[a]} × {names[b]}",
            lambda cell, a=a, b=b: sign(a, cell) * sign(b, cell),
        )
