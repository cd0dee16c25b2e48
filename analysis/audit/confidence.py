"""Calibration of the networks' confidence in their predictions, by noisy validation labels.

Networks that were trained with MixUp are less sure than they are right. Their logits are scaled by
one factor (temperature scaling: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017,
arXiv 1706.04599). The labels are noisy, so the factor is fitted to agreement: a prediction that is
right with probability q agrees with the given label with probability

    q (1 − r) + (1 − q) r / (C − 1)

where a share r of the labels is wrong at random among C classes.
"""

from collections.abc import Sequence

import numpy as np

from analysis.audit.label_suggestions import Table

FACTORS = np.geomspace(1 / 8, 8, 97)
PRIOR_SD = 1.0
"""Standard deviation of the logarithm of the factor before any label is seen."""
CERTAIN = 1e-4
"""Probabilities are at least this far from 0 and 1."""


def confidence_factor(tables: Sequence[Table], wrong: float, classes: int) -> float:
    """Return the factor of the logits under which validation labels are most probable.

    Args:
        tables: sample tables of trials.
        wrong: share of wrong labels, 0 to 1.
        classes: number of classes.

    Returns:
        The mode with a log-normal prior around 1; 1 without validation samples.
    """
    probabilities = []
    agrees = []
    for table in tables:
        if "validation_probability" in table:
            given = table["given"][table["split"] == 1]
            probabilities.append(table["validation_probability"][-1].astype(float))
            agrees.append(table["validation_class"][-1] == given)
    if not agrees:
        return 1.0
    agreed = np.concatenate(agrees)
    right = scaled(np.concatenate(probabilities), FACTORS[:, None])
    agreeing = right * (1 - wrong) + (1 - right) * wrong / (classes - 1)
    agreeing = np.clip(agreeing, CERTAIN, 1 - CERTAIN)
    likelihood = np.where(agreed, np.log(agreeing), np.log(1 - agreeing)).sum(axis=1)
    prior = -0.5 * (np.log(FACTORS) / PRIOR_SD) ** 2
    return float(FACTORS[np.argmax(likelihood + prior)])


def scaled(probability: np.ndarray, factor: np.ndarray | float) -> np.ndarray:
    """Return probabilities with their logits multiplied by a factor."""
    inside = np.clip(probability, CERTAIN, 1 - CERTAIN)
    logit = np.log(inside / (1 - inside))
    found: np.ndarray = 1 / (1 + np.exp(-factor * logit))
    return found
