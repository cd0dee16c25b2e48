"""Co-divide (DivideMix, section 3.1): each network divides the training samples for the other.

The labels that its mixture of losses takes for clean form the labeled set; the other samples form
the unlabeled set. It follows `eval_train` and the division in `Train_cifar.py` of the authors' code
(github.com/LiJunnan1992/DivideMix).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from trainable.config.dividemix import DivideMix as DivideMixConfig
from trainable.config.trial import TrialConfig
from trainable.data.dataset import Dataset
from trainable.data.feature_samples import FeatureSamples
from trainable.data.samples import Samples
from trainable.engine.learner import Learner
from trainable.engine.predictions import EnsemblePredictions, NetworkPredictions, predict_all
from trainable.methods.base import Method, Row, ensemble_record
from trainable.methods.dividemix_division import (
    Division,
    against_labels,
    agree,
    clean_mixture,
    describe,
    divide,
)
from trainable.noisy_labels.gaussian_mixture import normalise
from trainable.noisy_labels.neighbors import label_support
from trainable.random_streams import Streams
from trainable.storage.names import DIVISION_CHANGED


class CoDivide(Method):
    """A method whose networks divide the training samples; a subclass trains on the divisions.

    Attributes:
        history: normalised losses (n,) of each network's last divisions, the newest last.
    """

    def __init__(
        self, config: TrialConfig, data: Dataset, learners: list[Learner], streams: Streams
    ):
        super().__init__(config, data, learners, streams)
        assert isinstance(config.method, DivideMixConfig)
        self.method = config.method
        self.history: list[list[np.ndarray]] = [[] for _ in learners]
        self._support: np.ndarray | None = None

    def co_divide(self) -> tuple[list[Division], Row]:
        """Return each network's division, and what the epoch's row says of them."""
        # Both networks divide the samples before either of them trains.
        divisions = self.divide_samples()
        train = self.data.train
        for k, division in enumerate(divisions):
            index = self.positions(division.rows)
            self.predicted[DIVISION_CHANGED].add(k, index, division.classes)
        row: Row = dict(agree(self.method, divisions, train.given))
        row.update(describe(self.method, divisions, train))
        row.update(against_labels(divisions, train))
        self.division = {self.epoch: self.division_record(divisions)}
        return divisions, row

    def divide_samples(self, finished: int = 0) -> list[Division]:
        """Divide the training samples by each network's losses, its embedding, or both.

        `finished` is 1 after the last epoch: the samples are then divided as in the next epoch.
        """
        m = self.method
        epoch = self.epoch + finished
        divisions = []
        for k, (rows, prediction, predicted) in enumerate(self.predictions(epoch)):
            train = self.data.chosen(rows)
            self.finite(prediction.loss.sum(), k)
            self.record_margins(k, rows, prediction)
            losses = prediction.loss.cpu().numpy()
            newest = normalise(losses) if m.normalise_losses else losses
            self.history[k] = [*self.history[k], newest][-m.loss_history :]
            # The averaged history is not normalised again, as in the authors' code.
            averaged = np.mean(self.history[k], axis=0)
            support = self.support(prediction, train)
            seed = self.streams.number("mixture", epoch, k)
            mixture = clean_mixture(m, averaged, support, seed)
            labeled, threshold = divide(m, mixture.clean_probability, losses, train)
            weight = torch.from_numpy(mixture.clean_probability.astype(np.float32))
            divisions.append(
                Division(
                    losses=losses,
                    classes=prediction.classes,
                    mixture=mixture,
                    labeled=labeled,
                    threshold=threshold,
                    weight=weight.to(prediction.loss.device),
                    rows=rows,
                    ensemble=predicted,
                )
            )
        return divisions

    def predictions(
        self, epoch: int
    ) -> list[tuple[np.ndarray | None, NetworkPredictions, EnsemblePredictions | None]]:
        """Return each network's predictions of the samples that it divides after `epoch` epochs.

        Returns:
            For each network the positions of the samples, its predictions, and those of all
            networks together. The first is None where all samples are divided; if not, each network
            divides different ones, and the last is None.
        """
        own_features = isinstance(self.data.train, FeatureSamples)
        with_features = self.method.division != "loss" and not own_features
        if self.data.epoch_batches is None:
            predicted = predict_all(self.learners, self.data.train, self.combined, with_features)
            return [(None, prediction, predicted) for prediction in predicted.networks]
        found: list[tuple[np.ndarray | None, NetworkPredictions, EnsemblePredictions | None]] = []
        for k, learner in enumerate(self.learners):
            subset = self.streams.numpy("subset", epoch, k)
            rows = self.data.epoch_rows(subset, self.config.train.batch_size)
            alone = predict_all([learner], self.data.chosen(rows), self.combined, with_features)
            found.append((rows, alone.networks[0], None))
        return found

    def combined(self, logits: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the ensemble's scores (n, classes): summed logits, or mean probabilities."""
        if self.method.ensemble == "logits":
            return super().combined(logits)
        return torch.stack([each.softmax(1) for each in logits]).mean(0)

    def support(self, prediction: NetworkPredictions, train: Samples) -> np.ndarray:
        """Return the neighbours' support of each label, (n,); empty with `division: loss`.

        The neighbours of embeddings are those in the features of the data, which never change.
        """
        if self.method.division == "loss":
            return np.empty(0)
        if isinstance(train, FeatureSamples):
            if self._support is None:
                self._support = self._supported(train.every(), train)
            return self._support
        assert prediction.features is not None
        return self._supported(prediction.features, train)

    def _supported(self, features: torch.Tensor, train: Samples) -> np.ndarray:
        """Return the support of each label by the neighbours in `features` (n, width), (n,)."""
        support = label_support(features, train.given, self.data.classes, self.method.neighbors)
        return support.double().cpu().numpy()

    def record_margins(
        self, k: int, rows: np.ndarray | None, prediction: NetworkPredictions
    ) -> None:
        """Add the margins and losses of network k's samples to the running means."""
        self.margins.add(k, self.positions(rows), prediction.margin, prediction.loss)

    def positions(self, rows: np.ndarray | None) -> torch.Tensor | slice:
        """Return the positions of divided samples, on the device; None: all samples."""
        if rows is None:
            return slice(None)
        return torch.from_numpy(rows).to(self.data.train.device)

    def division_record(self, divisions: list[Division]) -> dict[str, np.ndarray]:
        """Return the record of a division.

        It has `loss` and `clean_probability`, (networks, n), and the ensemble's predictions, (n,),
        if every network divided all samples.
        """
        all_losses = []
        probabilities = []
        for division in divisions:
            all_losses.append(self.placed(division.losses, division))
            probabilities.append(self.placed(division.mixture.clean_probability, division))
        record = {"loss": np.stack(all_losses), "clean_probability": np.stack(probabilities)}
        if divisions[0].ensemble is not None:
            record.update(ensemble_record(divisions[0].ensemble))
        return {**record, **self.margins.means()}

    def placed(self, values: np.ndarray, division: Division) -> np.ndarray:
        """Return values of the divided samples as values of all samples, (n,); NaN: not divided."""
        if division.rows is None:
            return values
        everywhere = np.full(len(self.data.train), np.nan, values.dtype)
        everywhere[division.rows] = values
        return everywhere

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the base class and the loss history."""
        state = super().state_dict()
        state["history"] = []
        for past in self.history:
            state["history"].append([torch.from_numpy(each) for each in past])
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from the result of `state_dict`."""
        super().load_state_dict(state)
        self.history = []
        for past in state["history"]:
            self.history.append([each.numpy() for each in past])
