"""Table "Without labels": what predictions for test images tell, whatever their labels are.

A network whose predictions change from epoch to epoch fits labels that contradict what it has
learned; Yuan et al., "Early Stopping Against Label Noise Without Validation Data" (ICLR 2025,
arXiv 2502.07551), stop where these changes are fewest, on the training set. Seeds that agree have
found the same regularities, which are not always the right ones.
"""

from itertools import combinations

import numpy as np
import pandas as pd

from analysis.report.blocks import Block
from analysis.report.cells import number
from analysis.results.predictions import read_predictions
from analysis.results.read import Results

NOTE = (
    "Changed: share of the test images whose class differs between two of the last epochs that "
    "follow each other, mean over seeds. Seeds agree: share of the test images that two seeds put "
    "into the same class after the last epoch, mean over all pairs. Neither uses a label, and "
    "neither is an accuracy: networks that have learned the same errors agree."
)


def block(results: Results) -> Block | None:
    """Return the table of a study with unchecked test labels; None: there are no predictions."""
    if results.measure.decides:
        return None
    lines = []
    for setting in results.settings:
        predictions = read_predictions(results, setting)
        if predictions is None:
            continue
        for arm, of_seeds in predictions.of_arms.items():
            line = {"setting": setting} if setting else {}
            line["arm"] = arm
            line["n"] = str(len(of_seeds))
            line["changed %"] = number(100 * changed(list(of_seeds.values())))
            line["seeds agree %"] = number(100 * agreement(list(of_seeds.values())))
            lines.append(line)
    if not lines:
        return None
    return Block("without_labels", "Without labels", pd.DataFrame(lines).fillna(""), NOTE)


def changed(of_seeds: list[np.ndarray]) -> float:
    """Return the share of images that change their class from one epoch to the next, 0 to 1.

    Args:
        of_seeds: classes (epochs, N) of each seed; NaN with one epoch.
    """
    shares = [(classes[1:] != classes[:-1]).mean() for classes in of_seeds if len(classes) > 1]
    return float(np.mean(shares)) if shares else np.nan


def agreement(of_seeds: list[np.ndarray]) -> float:
    """Return the share of images that two seeds put into the same class, 0 to 1.

    Args:
        of_seeds: classes (epochs, N) of each seed; NaN with one seed.
    """
    last = [classes[-1] for classes in of_seeds]
    shares = [(first == second).mean() for first, second in combinations(last, 2)]
    return float(np.mean(shares)) if shares else np.nan
