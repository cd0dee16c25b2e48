"""Tables of `benchmarks/audit.py` from its files."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score

from analysis.audit.calibration import quality
from analysis.audit.label_suggestions import given_labels
from analysis.audit.neighbors import NEIGHBORS, Neighbors
from analysis.audit.witnesses import Judgement, PlainTraining, judge
from analysis.report.formats import markdown
from analysis.stats.paired import mean_interval
from benchmarks.audit_cells import TrainableCell

MEASURES = ("AUC", "AP", "precision")
"""Measures of an order; precision is that of its first samples, as many as are wrong."""


def file_of(cell: TrainableCell, seed: int, out: Path) -> Path:
    """Return the file of a cell and seed."""
    return out / f"{cell.name}_seed={seed}.npz"


def show(
    cells: Sequence[TrainableCell],
    seeds: list[int],
    out: Path,
    features: Callable[[str], Path | None] | None = None,
) -> None:
    """Print the tables of all files that are there; write their rows to `figures.csv`.

    `features` returns the file of features of a cell's data set; None: the data are images.
    """
    rows = []
    for cell in cells:
        for seed in seeds:
            file = file_of(cell, seed, out)
            if file.exists():
                vectors = features(cell.data) if features else None
                measures = measured(file, vectors)
                rows += [{"cell": cell.name, "seed": seed, **row} for row in measures]
    if not rows:
        print(f"{out} has no files of these cells", file=sys.stderr)
        return
    table = pd.DataFrame(rows)
    table.round(4).to_csv(out / "figures.csv", index=False)
    print(markdown(orders(table)))
    print(markdown(differences(table)))
    print(markdown(worth(table)))


def measured(file: Path, features: Path | None = None) -> list[dict[str, object]]:
    """Return a row of measures for each method of one file; `features`: those of the data set."""
    with np.load(file) as content:
        found = dict(content)
    classes = int(found["classes"])
    tables = {}
    for prefix in ("dividemix", "plain"):
        start = f"{prefix}."
        tables[prefix] = {
            name.removeprefix(start): array
            for name, array in found.items()
            if name.startswith(start)
        }
    plain = PlainTraining("plain", [tables["plain"]])
    table = tables["dividemix"]
    votes = None if features is None else partial(neighbors_of, features, table, classes)
    ranked, judgement = judge([table], classes, "dividemix", plain, votes)
    wrong = (ranked["given"] != ranked["true"]).to_numpy()
    rows: list[dict[str, object]] = [
        {
            "method": "audit",
            **order(wrong, -np.arange(len(wrong), dtype=float)),
            **claims(ranked, judgement, table),
        }
    ]
    train = table["split"] == 0
    wrong = table["given"][train] != table["true"][train]
    for method in ("cleanlab", "aum"):
        if method in found:
            row: dict[str, object] = {"method": method, **order(wrong, found[method])}
            if f"{method}_count" in found:
                row["count"] = float(found[f"{method}_count"] / wrong.sum())
            rows.append(row)
    if features is not None:
        alone = neighbors_of(features, table, classes, PUBLISHED_NEIGHBORS)
        margin = alone[table["source_index"][train]].to_numpy()
        rows.append({"method": "neighbours", **order(wrong, -margin)})
    return rows


PUBLISHED_NEIGHBORS = 10
"""Number of neighbours in SimiFeat (Zhu, Dong and Liu, ICML 2022)."""


def neighbors_of(
    features: Path, table: dict[str, np.ndarray], classes: int, neighbors: int = NEIGHBORS
) -> pd.Series:
    """Return the margins of the neighbours' votes for the given labels of a table of samples."""
    with np.load(features) as content:
        vectors = content["features"]
        if "split" in content:
            vectors = vectors[content["split"] == "train"]
    voters = Neighbors(lambda rows: vectors[rows], neighbors)
    return voters.margins(given_labels(table), classes)


def order(wrong: np.ndarray, suspicion: np.ndarray) -> dict[str, float]:
    """Return the measures of an order: `wrong` (n,) bool, suspicion (n,)."""
    first = np.argsort(-suspicion, kind="stable")[: wrong.sum()]
    return {
        "AUC": float(roc_auc_score(wrong, suspicion)),
        "AP": float(average_precision_score(wrong, suspicion)),
        "precision": float(wrong[first].mean()),
    }


def claims(
    ranked: pd.DataFrame, judgement: Judgement, table: dict[str, np.ndarray]
) -> dict[str, object]:
    """Return what an audit says of its networks and labels, and the truth."""
    train = table["split"] == 0
    true = table["true"][train]
    found: dict[str, object] = {
        "witness": judgement.witnesses[0],
        "failed": judgement.failed,
        "outdone": judgement.outdone,
        "accuracy": judgement.accuracy,
        "true accuracy": float((table["ensemble_class"][-1] == true).mean()),
        "counts": judgement.counts,
        "suggests": judgement.suggests,
        **dict.fromkeys(("count", "covered", "calibration", "right", "claimed"), np.nan),
    }
    figures = quality(ranked)
    if judgement.counts:
        least, most = judgement.share_wrong
        share = figures["wrong"] / figures["samples"]
        found["count"] = 1 + figures["count_error"]
        found["covered"] = bool(least <= share <= most)
        found["calibration"] = figures["calibration_error"]
    if judgement.suggests:
        found["right"] = figures["suggestion_right"]
        found["claimed"] = figures["suggestion_expected"]
    return found


def orders(table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean measures of each order over seeds, as text."""
    lines = []
    for (cell, method), group in table.groupby(["cell", "method"], sort=False):
        line = {"cell": cell, "method": method, "n": len(group)}
        for name in MEASURES:
            line[name] = f"{group[name].mean():.3f}"
        counts = group["count"].dropna()
        line["count ÷ true"] = f"{counts.mean():.2f}" if len(counts) == len(group) else ""
        lines.append(line)
    return pd.DataFrame(lines)


def differences(table: pd.DataFrame) -> pd.DataFrame:
    """Return the audit's paired difference from the best of the others, per cell, as text."""
    lines = []
    for cell, group in table.groupby("cell", sort=False):
        line = {"cell": cell}
        for name in ("AUC", "precision"):
            methods = group.pivot(index="seed", columns="method", values=name)
            others = methods.drop(columns="audit")
            best = others.mean().idxmax()
            paired = (methods["audit"] - others[best]).to_numpy()
            mean, low, high = mean_interval(paired)
            line[name] = f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"
            line[f"best other ({name})"] = str(best)
        lines.append(line)
    return pd.DataFrame(lines)


def worth(table: pd.DataFrame) -> pd.DataFrame:
    """Return what the audit says of its networks and labels, per cell, as text."""
    lines = []
    for cell, group in table[table["method"] == "audit"].groupby("cell", sort=False):
        line = {"cell": cell, "witness": " ".join(sorted(set(group["witness"])))}
        for name in ("accuracy", "true accuracy"):
            line[name] = " ".join(f"{value:.2f}" for value in group[name])
        given = int(group["counts"].sum())
        line["counts"] = f"{given} of {len(group)}"
        line["count ÷ true"] = " ".join(f"{value:.2f}" for value in group["count"].dropna())
        line["covered"] = f"{int(group['covered'].eq(True).sum())} of {given}"
        line["suggests"] = f"{int(group['suggests'].sum())} of {len(group)}"
        line["right"] = " ".join(f"{value:.2f}" for value in group["right"].dropna())
        line["claimed"] = " ".join(f"{value:.2f}" for value in group["claimed"].dropna())
        lines.append(line)
    return pd.DataFrame(lines)
