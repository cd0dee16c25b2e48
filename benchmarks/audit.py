"""How well label errors are found, next to cleanlab and AUM at equal work.

    pip install -e '.[bench]'                       (cleanlab; without it its rows are left out)
    python benchmarks/audit.py [--out DIR] [--seeds 1 2 3] [--cells 'digits_*'] [--only-show]
                               [--fashion FOLDER] [--cifar FILE.npz]

Each cell of `benchmarks/audit_cells.py` and seed is a file in DIR; those that are there are not
trained again. Per file: DivideMix and plain cross-entropy of equally many epochs, as two arms of a
study are, and cleanlab and AUM (`benchmarks/audit_rivals.py`) for the sum of the work of both, in
image-forwards, a backward pass as two, evaluation included. All train pairs of one network on the
same images, labels and initial weights. Printed are, per cell, means over seeds; what the audit
says of its own networks and whether it gives counts; and the paired difference from the best of
the others with its 95 % t interval.
"""

import argparse
import io
import sys
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import audit_cells, audit_figures, audit_rivals  # noqa: E402
from benchmarks.audit_cells import CELLS, TrainableCell  # noqa: E402
from trainable.config.runtime import Machine  # noqa: E402
from trainable.config.trial import TrialConfig  # noqa: E402
from trainable.trial.trial import Trial  # noqa: E402

try:
    from cleanlab.count import num_label_issues
    from cleanlab.rank import get_label_quality_scores
except ImportError:
    num_label_issues = None


def main() -> None:
    """Train what is missing, and print."""
    parser = parser_of(str(__doc__), Path("results/audit_benchmark"))
    parser.add_argument("--cifar", type=Path, help=".npz with train_images, train_labels, test_…")
    options = parser.parse_args()
    if num_label_issues is None:
        print("cleanlab is not installed (pip install -e '.[bench]'): its rows are left out\n")
    cells = [cell for cell in CELLS if fnmatch(cell.name, options.cells)]
    if not options.only_show:
        files: dict[str, Path | None] = {"digits": None}
        if options.fashion:
            files["fashion"] = audit_cells.fashion(options.fashion, options.out.resolve())
        if options.cifar:
            files["cifar"] = audit_cells.cifar(options.cifar, options.out.resolve())
        for seed in options.seeds:
            for cell in cells:
                if cell.data in files:
                    train(cell, seed, files[cell.data], options.out)
    audit_figures.show(cells, options.seeds, options.out)


def parser_of(description: str, out: Path) -> argparse.ArgumentParser:
    """Return the options of a benchmark of the audit; `out`: default folder of its files."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=out)
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[1, 2, 3], help="0 chose what the audit does"
    )
    parser.add_argument("--cells", default="*", help="pattern of names (default: all)")
    parser.add_argument("--only-show", action="store_true", help="train nothing")
    parser.add_argument("--fashion", type=Path, help="folder of Fashion-MNIST's IDX files")
    return parser


def train(cell: TrainableCell, seed: int, data: Path | None, out: Path) -> None:
    """Train all methods on a cell and keep their tables and scores; nothing if they are there."""
    file = audit_figures.file_of(cell, seed, out)
    if file.exists():
        return
    config = cell.config(seed, data)
    audited, work = _trained(config)
    plain, plain_work = _trained(
        TrialConfig.model_validate(config.model_dump() | {"method": {"name": "cross_entropy"}})
    )
    budget = work + plain_work
    trial = audit_rivals.plain_trial(config)
    found: dict[str, np.ndarray] = {"classes": np.array(trial.data.classes)}
    if num_label_issues is not None:
        given = trial.data.train.given.numpy()
        probabilities = audit_rivals.out_of_fold(trial, budget)
        found["cleanlab"] = -get_label_quality_scores(given, probabilities)
        found["cleanlab_count"] = np.array(num_label_issues(given, probabilities))
    found["aum"] = -audit_rivals.area_under_margin(audit_rivals.plain_trial(config), budget)
    for prefix, table in (("dividemix", audited), ("plain", plain)):
        found |= {f"{prefix}.{name}": array for name, array in table.items()}
    temporary = file.with_suffix(".tmp.npz")
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(temporary, **found)
    temporary.replace(file)
    print(f"{file}: trained", file=sys.stderr, flush=True)


def _trained(config: TrialConfig) -> tuple[dict[str, np.ndarray], float]:
    """Train a trial; return its table of samples and its work in image-forwards."""
    trial = Trial(config, Machine())
    work = sum(row["work/forwards"] for row in trial)
    with np.load(io.BytesIO(trial.samples())) as table:
        return dict(table), work


if __name__ == "__main__":
    main()
