"""How well wrong labels are found, beside cleanlab and AUM at equal work.

    pip install -e '.[bench]'                       (cleanlab; without it its rows are left out)
    python benchmarks/audit.py [FILE.npz] [--seeds 8] [--epochs 30] [--width 32] [--map cifar10]

Without a file the data are scikit-learn's digits. Labels are made wrong at random (40 % of them),
and class by class (40 % of the classes that `--map` sends to another one; by default each even
class goes to the next, and 2→7, 3→8, 5↔6, 7→1 for digits); a file that has `train_noisy_labels` is
taken as it is. All methods train pairs of one network on the same images, labels and initial
weights:

- audit: DivideMix, a third of its epochs warm-up, with the confidence penalty (as `init` writes it,
  for any noise); samples ranked as `python -m orchestrator audit` ranks them.
- cleanlab: cross-entropy on five folds, `get_label_quality_scores` of the out-of-fold probabilities
  (mean of the pair) after the epoch in which these agree best with the given labels; its count is
  `num_label_issues`.
- AUM (Pleiss et al. 2020): cross-entropy on all samples; the margin of the given class's logit over
  the largest other one, in eval mode after every epoch, mean over epochs and the pair.

Work is counted in image-forwards, a backward pass as two, evaluation included; the others train as
many epochs as DivideMix's work pays for. Printed are means over seeds with 95 % t intervals.
"""

import argparse
import dataclasses
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from analysis.audit.label_suggestions import rank
from analysis.report.formats import markdown
from analysis.stats.paired import mean_interval
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.engine.learner import Learner
from trainable.methods.cross_entropy import CrossEntropy
from trainable.models.build import build
from trainable.random_streams import Streams
from trainable.trial.trial import Trial

try:
    from cleanlab.count import num_label_issues
    from cleanlab.rank import get_label_quality_scores
except ImportError:
    num_label_issues = None

FOLDS = 5
DIGITS = [0, 1, 7, 8, 4, 6, 5, 1, 8, 9]
MEASURES = ("AUC", "average precision", "precision at the true count", "count ÷ true count")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", metavar="FILE.npz", type=Path, nargs="?")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--map", choices=["cifar10", "cifar100"])
    options = parser.parse_args()
    if num_label_issues is None:
        print("cleanlab is not installed (pip install -e '.[bench]'): its rows are left out\n")
    rows = []
    for seed in range(options.seeds):
        for name, noise in noises(options.file, options.map).items():
            for method, scores, count in methods(configured(options, noise, seed)):
                rows.append({"noise": name, "method": method, **measured(scores, count)})
                print(f"seed {seed}: {rows[-1]}", file=sys.stderr, flush=True)
    print(markdown(table(pd.DataFrame(rows))))


def noises(file: Path | None, map_: str | None) -> dict[str, dict]:
    """The noise models by name."""
    targets: str | list[int] = map_ or DIGITS
    if file is not None:
        with np.load(file) as arrays:
            if "train_noisy_labels" in arrays:
                return {"the file's own": {"name": "none"}}
            classes = int(arrays["train_labels"].max()) + 1
        targets = map_ or [min(c + 1 - c % 2, classes - 1) for c in range(classes)]
    return {
        "symmetric 40 %": {"name": "symmetric", "rate": 0.4, "include_true": False},
        "asymmetric 40 %": {"name": "asymmetric", "rate": 0.4, "map": targets},
    }


def configured(options: argparse.Namespace, noise: dict, seed: int) -> TrialConfig:
    """DivideMix on the data, without validation samples: all are ranked."""
    data = (
        {"name": "npz", "path": str(options.file.resolve())} if options.file else {"name": "digits"}
    )
    method = {"name": "dividemix", "warmup_epochs": options.epochs // 3, "conf_penalty": "on"}
    return TrialConfig.model_validate(
        {
            "seed": seed,
            "data": {**data, "validation_fraction": 0},
            "noise": noise,
            "model": {"name": "small_cnn", "width": options.width},
            "train": {"epochs": options.epochs, "lr": 0.02},
            "method": method,
        }
    )


def methods(config: TrialConfig) -> Iterator[tuple[str, pd.DataFrame, float]]:
    """(method, samples with given, true and wrong: the higher, the more surely; number of wrong
    labels it expects)."""
    trial = Trial(config, Machine())
    work = sum(row["work/forwards"] for row in trial)
    with np.load(io.BytesIO(trial.samples())) as samples:
        ranked = rank([dict(samples)], trial.data.classes)
    # The ranking decides between equal probabilities.
    yield "audit", ranked.assign(wrong=-ranked.index), float(ranked["wrong"].sum())
    plain = config.model_dump() | {"method": {"name": "cross_entropy"}}
    plain["train"]["epochs"] = 10**6  # the work ends it
    trial = Trial(TrialConfig.model_validate(plain), Machine())
    labels = {"given": trial.data.train.given.numpy(), "true": trial.data.train.true.numpy()}
    if num_label_issues is not None:
        probabilities = out_of_fold(trial, work)
        quality = get_label_quality_scores(labels["given"], probabilities)
        yield (
            "cleanlab",
            pd.DataFrame({**labels, "wrong": -quality}),
            num_label_issues(labels["given"], probabilities),
        )
    yield "AUM", pd.DataFrame({**labels, "wrong": -area_under_margin(trial, work)}), np.nan


def area_under_margin(trial: Trial, work: float) -> np.ndarray:
    """Mean margin of each training sample's given label (n,) over the epochs that `work` pays
    for."""
    method, train = trial.method, trial.data.train
    margins, spent = [], 0.0
    while not margins or method.forwards + spent <= work:
        before = method.forwards
        next(method)
        for learner in method.learners:
            logits = learner.logits(train)
            own = logits.gather(1, train.given[:, None])[:, 0]
            others = logits.scatter(1, train.given[:, None], -torch.inf)
            margins.append((own - others.amax(1)).numpy())
        spent = method.forwards - before
    return np.mean(margins, axis=0)


def out_of_fold(trial: Trial, work: float) -> np.ndarray:
    """Class probabilities (n, classes) of each training sample from a pair of networks that never
    saw it.

    All folds train side by side for the epochs that `work` pays for; the epoch that agrees best
    with the given labels is taken.
    """
    config, data, streams = trial.config, trial.data, Streams(trial.config.seed)
    fold = streams.numpy("folds").permutation(len(data.train)) % FOLDS
    methods = []
    for k in range(FOLDS):
        train, held = (data.train.only(np.flatnonzero(rows)) for rows in (fold != k, fold == k))
        part = dataclasses.replace(data, train=train, validation=None, test=held)
        networks = [
            build(config.model, data.shape, data.classes, streams.number(f"init{j}"))
            for j in (0, 1)
        ]
        learners = [Learner(network, config.train, trial.device) for network in networks]
        methods.append(CrossEntropy(config, part, learners, streams))
    best, agreement, spent = np.zeros((len(fold), data.classes)), -1.0, 0.0
    given = data.train.given.numpy()
    while agreement < 0 or sum(method.forwards for method in methods) + spent <= work:
        before = sum(method.forwards for method in methods)
        probabilities = np.empty_like(best)
        for k, method in enumerate(methods):
            next(method)  # tests on the fold, which counts
            with method.uncounted():
                pair = [
                    learner.logits(method.data.test).softmax(1).numpy()
                    for learner in method.learners
                ]
            probabilities[fold == k] = np.mean(pair, axis=0)
        if (now := float((probabilities.argmax(1) == given).mean())) > agreement:
            best, agreement = probabilities, now
        spent = sum(method.forwards for method in methods) - before
    return best


def measured(samples: pd.DataFrame, count: float) -> dict[str, float]:
    """The measures of one ranking."""
    wrong, score = samples["given"] != samples["true"], samples["wrong"]
    first = wrong[score.sort_values(ascending=False).index][: wrong.sum()]
    values = (
        roc_auc_score(wrong, score),
        average_precision_score(wrong, score),
        first.mean(),
        count / wrong.sum(),
    )
    return dict(zip(MEASURES, values, strict=True))


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds with intervals, as text."""
    lines = []
    for (noise, method), group in rows.groupby(["noise", "method"], sort=False):
        line = {"noise": noise, "method": method, "n": len(group)}
        for name in MEASURES:
            mean, low, high = mean_interval(group[name].to_numpy())
            interval = f" [{low:.3f}, {high:.3f}]" if len(group) > 1 else ""
            line[name] = "" if np.isnan(mean) else f"{mean:.3f}{interval}"
        lines.append(line)
    return pd.DataFrame(lines)


if __name__ == "__main__":
    main()
