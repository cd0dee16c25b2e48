"""EnsemblePredictions of all networks for a whole set of images, reduced batch by batch.

Every image is loaded once for all networks, and no array of (samples, classes) is kept: with a
million samples of a thousand classes one of them has four gigabytes.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from trainable.data.samples import Samples
from trainable.engine.learner import Learner
from trainable.noisy_labels.label_margins import margins

Combine = Callable[[Sequence[torch.Tensor]], torch.Tensor]
"""Turns logits (batch, classes), one per network, into the ensemble's scores (batch, classes)."""


@dataclass(frozen=True)
class NetworkPredictions:
    """Predictions of one network for n samples, in eval mode and without augmentation."""

    loss: torch.Tensor
    """Cross-entropy with the given labels, (n,), nats."""
    margin: torch.Tensor
    """Logit of the given class less the largest other one, (n,)."""
    classes: torch.Tensor
    """Predicted classes, (n,)."""
    features: torch.Tensor | None = None
    """Inputs of the last linear layer, (n, width), if they were requested."""


@dataclass(frozen=True)
class EnsemblePredictions:
    """Predictions of several networks for n samples, one by one and as an ensemble."""

    networks: list[NetworkPredictions]
    ensemble_class: torch.Tensor
    """(n,)."""
    ensemble_probability: torch.Tensor
    """The networks' mean probability of that class, (n,)."""


def predict_all(
    learners: Sequence[Learner], samples: Samples, combine: Combine, with_features: bool = False
) -> EnsemblePredictions:
    """Return the predictions for all samples, compared with their given labels.

    Raises:
        DataError: features are requested, and a network has no linear layer.
    """
    losses: list[list[torch.Tensor]] = [[] for _ in learners]
    label_margins: list[list[torch.Tensor]] = [[] for _ in learners]
    classes: list[list[torch.Tensor]] = [[] for _ in learners]
    chosen = []
    probabilities = []
    with torch.inference_mode(), ExitStack() as stack:
        features = []
        if with_features:
            features = [stack.enter_context(learner.keeping_features()) for learner in learners]
        for rows, logits in _in_batches(learners, samples, stack):
            given = samples.given[rows]
            for k, each in enumerate(logits):
                losses[k].append(F.cross_entropy(each, given, reduction="none"))
                label_margins[k].append(margins(each, given))
                classes[k].append(each.argmax(1))
            best = combine(logits).argmax(1)
            mean = torch.stack([each.softmax(1) for each in logits]).mean(0)
            chosen.append(best)
            probabilities.append(mean.gather(1, best[:, None])[:, 0])
    networks = []
    for k in range(len(learners)):
        of_network = torch.cat(features[k]) if with_features else None
        networks.append(
            NetworkPredictions(
                torch.cat(losses[k]), torch.cat(label_margins[k]), torch.cat(classes[k]), of_network
            )
        )
    return EnsemblePredictions(networks, torch.cat(chosen), torch.cat(probabilities))


@dataclass(frozen=True)
class Score:
    """Shares of n samples that are predicted right, percent.

    Attributes:
        ensemble: by the ensemble.
        top5: true class among the ensemble's five best; None: fewer than five classes.
        networks: by each network alone.
        sums: sum of all logits of each network; not finite if one of them is not.
        classes: (n,) the ensemble's predictions, int16, on the device.
    """

    ensemble: float
    top5: float | None
    networks: list[float]
    sums: list[float]
    classes: torch.Tensor


def score(
    learners: Sequence[Learner], samples: Samples, labels: torch.Tensor, combine: Combine
) -> Score:
    """Compare the tested networks' predictions with labels (n,)."""
    count = len(learners)
    # The ensemble, its five best, each network, and the sum of each network's logits.
    totals = torch.zeros(2 + 2 * count, dtype=torch.float64, device=labels.device)
    five = False
    predicted = []
    with torch.inference_mode(), ExitStack() as stack:
        for rows, logits in _in_batches(learners, samples, stack, tested=True):
            true = labels[rows]
            scores = combine(logits)
            five = scores.shape[1] >= 5
            predicted.append(scores.argmax(1))
            batch = [(predicted[-1] == true).sum()]
            if five:
                batch.append((scores.topk(5, 1).indices == true[:, None]).sum())
            else:
                batch.append(batch[0])
            batch += [(each.argmax(1) == true).sum() for each in logits]
            batch += [each.sum() for each in logits]
            totals += torch.stack([each.double() for each in batch])
    numbers = totals.tolist()  # the only wait for the device
    shares = [100 * (right / len(samples)) for right in numbers[: 2 + count]]
    return Score(
        ensemble=shares[0],
        top5=shares[1] if five else None,
        networks=shares[2:],
        sums=numbers[2 + count :],
        classes=torch.cat(predicted).short(),
    )


def _in_batches(
    learners: Sequence[Learner], samples: Samples, stack: ExitStack, tested: bool = False
) -> Iterator[tuple[slice, list[torch.Tensor]]]:
    """Yield the rows of each batch with the logits (batch, classes) of every network.

    Networks are in eval mode until `stack` ends.
    """
    for learner in learners:
        stack.enter_context(learner.mode("eval"))
    for rows, images in samples.in_batches():
        yield rows, [learner.predict(images, tested) for learner in learners]
