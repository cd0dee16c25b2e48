"""Two studies side by side: the same setting, arm and seed in both."""

from collections.abc import Iterator

import pandas as pd

from analysis.report import cells, tables
from analysis.results.read import Results
from analysis.stats.comparison import PAIRING
from analysis.stats.multiple_testing import holm
from analysis.stats.paired import paired
from trainable.storage.names import LAST10

PLACE = ["setting", "arm"]


def join(first: Results, second: Results, metric: str = LAST10) -> pd.DataFrame:
    """One row a setting and arm that both studies plan, in the first one's order.

    Columns: setting, arm, first, second (means in percent over the seeds that both finished on the same data and
    noise), pairs, difference (second − first, points), low, high (95 % t interval), p (exact sign-flip), p_holm (over
    all rows), same (how many of the pairs have the same id, that is the same configuration).
    """
    rows = []
    both = first.trials[PLACE].drop_duplicates().merge(second.trials[PLACE].drop_duplicates())
    sides = [
        study.done.reindex(columns=[*PLACE, *PAIRING, "id", metric]) for study in (first, second)
    ]
    joined = sides[0].merge(sides[1], on=[*PLACE, *PAIRING], suffixes=("_first", "_second"))
    joined = joined.dropna(subset=[f"{metric}_first", f"{metric}_second", *PAIRING])
    for place in both.to_dict("records"):
        pairs = joined[(joined["setting"] == place["setting"]) & (joined["arm"] == place["arm"])]
        one, two = pairs[f"{metric}_first"], pairs[f"{metric}_second"]
        test = paired((two - one).to_numpy(float))
        same = int((pairs["id_first"] == pairs["id_second"]).sum())
        values = (one.mean(), two.mean(), test.n, test.mean, test.low, test.high, test.p, same)
        rows.append([place["setting"], place["arm"], *values])
    columns = [*PLACE, "first", "second", "pairs", "difference", "low", "high", "p", "same"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(p_holm=holm(table["p"].to_numpy(float)))


def text(table: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """The joined table for people; `first` and `second` name the studies."""
    return tables.rows(
        table,
        {
            "pairs": lambda row: f"{row['pairs']}",
            f"{first} %": lambda row: cells.number(row["first"]),
            f"{second} %": lambda row: cells.number(row["second"]),
            "difference [95 % interval]": lambda row: cells.interval(
                row["difference"], row["low"], row["high"]
            ),
            "Holm p": lambda row: cells.p_value(row["p_holm"]),
            "configuration": lambda row: (
                "" if not row["pairs"] else "same" if row["same"] == row["pairs"] else "changed"
            ),
        },
    )


def only(first: Results, second: Results) -> Iterator[str]:
    """Sentences about arms that just one of the studies has."""
    for study, other in ((first, second), (second, first)):
        there = {tuple(place) for place in other.trials[PLACE].drop_duplicates().to_numpy()}
        for setting, arm in study.trials[PLACE].drop_duplicates().to_numpy():
            if (setting, arm) not in there:
                yield f"only in {study.root}: {cells.place(setting, arm)}"
