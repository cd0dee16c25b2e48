"""The summary of a completed trial: final metrics, totals, failures, and what its data are."""

from typing import Any

import numpy as np

from trainable.config.trial import TrialConfig
from trainable.data.dataset import Dataset
from trainable.data.noise import nominal_transition
from trainable.methods.base import Method, Row
from trainable.noisy_labels.lost_classes import lost_classes
from trainable.noisy_labels.prediction_changes import label_wave_epoch
from trainable.storage import names
from trainable.storage.last_epochs import last_epochs

KEPT = ("division/", "train/", "val/", "guess/", names.NETWORK_ACCURACY.format(k=""))
"""Beginnings of the metrics of which the summary has the last epoch's value."""


def summarised(
    config: TrialConfig, data: Dataset, method: Method, rows: list[Row]
) -> dict[str, Any]:
    """Return the summary of a trial with these rows; `storage.names` describes the keys."""
    accuracy = _test_accuracy(rows)
    return {
        "epochs": len(rows),
        **accuracy,
        **_selected(rows),
        **_last_epoch(rows[-1], data),
        **_totals(rows),
        **_failures(config, data, method, accuracy),
        **_labels(config, data),
    }


def _test_accuracy(rows: list[Row]) -> Row:
    """Return the last and the best test accuracy, and the mean and sd of the last ones, percent."""
    count = last_epochs(len(rows))
    test = [row[names.TEST_ACCURACY] for row in rows]
    last = test[-count:]
    found: Row = {
        names.TEST_ACCURACY: test[-1],
        names.LAST10: float(np.mean(last)),
        names.LAST10_SD: float(np.std(last, ddof=1)) if len(last) > 1 else 0.0,
        names.BEST_ACCURACY: max(test),
    }
    first = names.NETWORK_ACCURACY.format(k=0)
    if alone := [row[first] for row in rows if first in row]:
        found[names.NETWORK_LAST10.format(k=0)] = float(np.mean(alone[-count:]))
    return found


def _selected(rows: list[Row]) -> Row:
    """Return the test accuracy of the epochs that the validation set and Label Wave select."""
    found: Row = {}
    test = [row[names.TEST_ACCURACY] for row in rows]
    validation = [
        row[names.VALIDATION_ACCURACY] for row in rows if names.VALIDATION_ACCURACY in row
    ]
    if validation:
        chosen = validation.index(max(validation))
        found |= {names.SELECTED_ACCURACY: test[chosen], "selected_epoch": chosen + 1}
    wave = label_wave_epoch(rows)
    if wave is not None:
        found |= {names.LABEL_WAVE_ACCURACY: test[wave - 1], "label_wave_epoch": wave}
    return found


def _last_epoch(last: Row, data: Dataset) -> Row:
    kept = (*KEPT, names.TEST_TOP5, *data.more_tests)
    return {name: last[name] for name in last if name.startswith(kept)}


def _totals(rows: list[Row]) -> Row:
    """Return the sums of seconds and of work over all epochs."""
    summed = sorted({name for row in rows for name in row if name.startswith(("time/", "work/"))})
    return {name: sum(row.get(name, 0) for row in rows) for name in summed}


def _failures(config: TrialConfig, data: Dataset, method: Method, accuracy: Row) -> dict[str, Any]:
    """Return whether the trial has collapsed, and the classes that the ensemble has lost."""
    last, best = accuracy[names.LAST10], accuracy[names.BEST_ACCURACY]
    found: dict[str, Any] = {"collapsed": last < (best + 100 / data.classes) / 2 < best}
    transition = nominal_transition(config.noise, data.classes)
    if transition is None:
        transition = data.noise_transition
    if method.test_classes:  # states of earlier versions have none
        found["lost_classes"] = lost_classes(
            method.test_classes[-1].cpu().numpy(),
            data.test.given.cpu().numpy(),
            data.train.given.cpu().numpy(),
            transition,
            data.classes,
        )
    return found


def _labels(config: TrialConfig, data: Dataset) -> dict[str, Any]:
    """Return how many labels are wrong and how, as far as that is known, and the data's hashes."""
    found: dict[str, Any] = {}
    if data.noise_transition is not None:
        found["noise_transition"] = np.round(data.noise_transition, 4).tolist()
    if data.ratings is not None:
        found["annotator_agreement"] = data.ratings.agreement
        if data.noise_rate is not None:
            found["annotator_wrong"] = data.ratings.wrong(data.train.true.cpu().numpy())
    if data.content_hash:
        found["content_hash"] = data.content_hash
    return found | {
        "noise_rate": data.noise_rate,
        "noise_rate_nominal": getattr(config.noise, "rate", None),
        "data_hash": data.data_hash,
        "noise_hash": data.noise_hash,
    }
