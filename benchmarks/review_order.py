"""How soon the order of review finds wrong labels: `python benchmarks/review_order.py RUN_DIR`.

For each setting and seed of a study whose true labels are known: the share of the wrong labels that
is among the first 15 % of the images by suspicion, and the most that any order could find there.
"""

import argparse
from pathlib import Path

import numpy as np

from analysis.audit.audit import Audited, audit
from analysis.audit.review_order import order_of
from analysis.results.read import read_results

FIRST = 0.15


def found_first(audited: Audited) -> tuple[float, float, float]:
    """Return the share of labels that is wrong, that of them found first, and the greatest one."""
    order = order_of(audited)
    truth = audited.ranked.set_index("index")
    known = order.rows[np.isin(order.rows, truth.index)]
    wrong = (truth.loc[known, "given"] != truth.loc[known, "true"]).to_numpy()
    first = wrong[: round(FIRST * len(wrong))]
    return wrong.mean(), first.sum() / wrong.sum(), min(1, len(first) / wrong.sum())


def main() -> None:
    """Print a line for each setting, and one for each seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--arm", default="baseline")
    given = parser.parse_args()
    for setting in read_results(given.run_dir).settings:
        rows = []
        for audited in audit(given.run_dir, setting, given.arm):
            rate, found, most = found_first(audited)
            rows.append((rate, found, most))
            print(
                f"  {setting or 'all'}, {audited.name}: {100 * rate:.1f} % wrong, "
                f"{100 * found:.1f} % of them found, at most {100 * most:.1f} %"
            )
        shares = np.array(rows)
        ratios = shares[:, 1] / shares[:, 2]
        print(
            f"{setting or 'all'}: mean {100 * shares[:, 1].mean():.1f} % found in the first "
            f"{100 * FIRST:.0f} %, {ratios.mean():.3f} of what is possible (least "
            f"{ratios.min():.3f}), n = {len(rows)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
