"""Rankings of label errors by other methods, at the work of the audit's trials.

- cleanlab (Northcutt et al., "Confident Learning", JAIR 2021): cross-entropy on five folds,
  `get_label_quality_scores` of the out-of-fold probabilities after the epoch in which these agree
  best with the given labels; its count is `num_label_issues`.
- AUM (Pleiss et al., NeurIPS 2020): cross-entropy on all samples; the margin of the given class's
  logit, in eval mode after every epoch, mean over epochs.

Both train a pair of networks and take their mean.
"""

import dataclasses

import numpy as np

from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.engine.learner import Learner
from trainable.methods.cross_entropy import CrossEntropy
from trainable.models.build import build
from trainable.noisy_labels.label_margins import margins
from trainable.random_streams import Streams
from trainable.trial.trial import Trial

FOLDS = 5


def plain_trial(config: TrialConfig) -> Trial:
    """Return a trial of cross-entropy on the data, labels and networks of `config`, without end."""
    plain = config.model_dump() | {"method": {"name": "cross_entropy"}}
    plain["train"]["epochs"] = 10**6
    return Trial(TrialConfig.model_validate(plain), Machine())


def area_under_margin(trial: Trial, work: float) -> np.ndarray:
    """Return the mean margin (n,) of the given labels over the epochs that `work` pays for."""
    method = trial.method
    train = trial.data.train
    found: list[np.ndarray] = []
    spent = 0.0
    while not found or method.forwards + spent <= work:
        before = method.forwards
        next(method)
        for learner in method.learners:
            found.append(margins(learner.logits(train), train.given).numpy())
        spent = method.forwards - before
    mean: np.ndarray = np.mean(found, axis=0)
    return mean


def out_of_fold(trial: Trial, work: float) -> np.ndarray:
    """Return class probabilities (n, classes) by networks that never saw the sample.

    All folds train in turns for the epochs that `work` pays for; the epoch that agrees best with
    the given labels is taken.
    """
    streams = Streams(trial.config.seed)
    fold = streams.numpy("folds").permutation(len(trial.data.train)) % FOLDS
    methods = [_fold_method(trial, fold == k, streams) for k in range(FOLDS)]
    best = np.zeros((len(fold), trial.data.classes))
    agreement = -1.0
    spent = 0.0
    given = trial.data.train.given.numpy()
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
        now = float((probabilities.argmax(1) == given).mean())
        if now > agreement:
            best = probabilities
            agreement = now
        spent = sum(method.forwards for method in methods) - before
    return best


def _fold_method(trial: Trial, held: np.ndarray, streams: Streams) -> CrossEntropy:
    """Return cross-entropy with fresh networks on the samples that are not `held` (n,) bool."""
    config = trial.config
    data = dataclasses.replace(
        trial.data,
        train=trial.data.train.only(np.flatnonzero(~held)),
        validation=None,
        test=trial.data.train.only(np.flatnonzero(held)),
    )
    learners: list[Learner] = []
    for j in (0, 1):
        network = build(config.model, data.shape, data.classes, streams.number(f"init{j}"))
        learners.append(Learner(network, config.train, trial.device))
    return CrossEntropy(config, data, learners, streams)
