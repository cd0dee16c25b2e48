"""The table of arms: accuracy, paired difference to the baseline, adjusted p."""

import pandas as pd

from analysis.results import Results
from analysis.statistics import holm, paired

METRIC = "test/accuracy_last10"
BASELINE = "baseline"


def compare(results: Results, metric: str = METRIC) -> pd.DataFrame:
    """One row a setting and arm, in the study's order.

    Columns: setting, arm, family, paired (may be compared with the baseline), planned, n (done), mean, sd (over seeds,
    in points), pairs, difference (arm − baseline on the same seeds), low, high (95 % t interval), p (exact sign-flip),
    p_holm (adjusted within setting and family).
    """
    rows = []
    for (setting, arm), group in results.trials.groupby(["setting", "arm"], sort=False):
        done = group[group["state"] == "done"]
        values = done[metric] if metric in done else pd.Series(dtype=float)
        first = group.iloc[0]
        row = {
            "setting": setting,
            "arm": arm,
            "family": first["family"] if pd.notna(first["family"]) else "",
            "paired": bool(pd.notna(first["baseline"])),
            "planned": len(group),
            "n": len(values),
            "mean": values.mean(),
            "sd": values.std(ddof=1),
        }
        if row["paired"]:
            test = paired(differences(results, str(setting), str(arm), metric).to_numpy())
            row |= {"pairs": test.n, "difference": test.mean, "low": test.low, "high": test.high, "p": test.p}
        rows.append(row)
    columns = ["pairs", "difference", "low", "high", "p"]
    table = pd.DataFrame(rows)
    table = table.reindex(columns=[*table.columns, *(c for c in columns if c not in table)])
    table["p_holm"] = table.groupby(["setting", "family"])["p"].transform(lambda p: holm(p.to_numpy(float)))
    return table


def differences(results: Results, setting: str, arm: str, metric: str = METRIC) -> pd.Series:
    """arm − baseline by seed, where both are done and saw the same data and the same noise."""
    keys = ["seed", "data_hash", "noise_hash"]
    done = results.done[results.done["setting"] == setting]
    if metric not in done:
        return pd.Series(dtype=float)
    sides = [done[done["arm"] == name].set_index(keys)[metric] for name in (arm, BASELINE)]
    return (sides[0] - sides[1]).dropna()


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """The comparison as text, with headers for people: percent and points."""
    lines = []
    for row in table.to_dict("records"):
        known = {name for name, value in row.items() if not pd.isna(value)}
        line = {"setting": row["setting"], "arm": row["arm"]}
        line["n"] = f"{row['n']}" if row["n"] == row["planned"] else f"{row['n']} of {row['planned']}"
        line["last-10 test accuracy %"] = (f"{row['mean']:.2f}" if "mean" in known else "") + (
            f" ± {row['sd']:.2f}" if "sd" in known else ""
        )
        line["difference [95 % interval]"] = (
            (signed(row["difference"]) if "difference" in known else "")
            + (f" [{signed(row['low'])}, {signed(row['high'])}]" if "low" in known else "")
            + (f" ({row['pairs']:.0f} pairs)" if "difference" in known and row["pairs"] < row["n"] else "")
        )
        line["Holm p"] = (
            "" if "p_holm" not in known else f"{row['p_holm']:.4f}" if row["p_holm"] >= 0.00005 else "<0.0001"
        )
        lines.append(line)
    text = pd.DataFrame(lines)
    return text if (table["setting"] != "").any() else text.drop(columns="setting")


def signed(value: float) -> str:
    """`+0.31` or `−2.00`, with a true minus; zero has no sign."""
    text = f"{value:+.2f}"
    return "0.00" if float(text) == 0 else text.replace("-", "−")


def markdown(table: pd.DataFrame) -> str:
    """A table of text as Markdown."""
    lines = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in line)} |" for line in lines) + "\n"
