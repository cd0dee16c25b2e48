"""Estimate a trial's training time in seconds, from a few timed steps, and its bytes on disk."""

import statistics
import time
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from trainable.config.base import Section
from trainable.config.dividemix import DivideMix
from trainable.config.methods import ElrPlus, Forgetting, MixMatch, SsrPlus
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.methods.mixmatch import as_dividemix
from trainable.trial.trial import Trial

STEPS = 9


@dataclass(frozen=True)
class Cost:
    """Estimated cost of one trial.

    Attributes:
        seconds: time of training and testing on this machine, s.
        kept: bytes on disk of the completed trial.
        while_running: additional bytes until then, for two checkpoints.
    """

    seconds: float
    kept: int
    while_running: int


def estimate(config: TrialConfig, machine: Machine) -> Cost:
    """Build the trial, time a few training steps and scale by its image-forward equivalents.

    A DivideMix step has two costs per labeled image and network. The first is the gradient pass
    over its views and those of an unlabeled image: 12 forwards for two views each. The second is
    the predictions for the targets.

    The size of the labeled set is unknown before the run. It is assumed to be the number of right
    labels, or the whole training set if the true labels are unknown. An automatic warm-up is
    assumed to take one epoch, which makes the estimate an upper bound. ELR+ adds the forwards of
    its EMA. An estimated forget rate adds the losses of all samples in the gradual epochs.

    Raises:
        DataError: the data is missing or wrong.
    """
    trial = Trial(config, machine)
    kept, while_running = space(trial)
    return Cost(_forwards(trial) * _seconds_per_forward(trial), kept, while_running)


def _forwards(trial: Trial) -> int:
    """Return the image-forward equivalents of the whole trial, as `estimate` defines them."""
    config = trial.config
    data = trial.data
    method: Section = config.method
    if isinstance(method, MixMatch):
        method = as_dividemix(method)
    epochs = config.train.epochs
    networks = config.method.networks
    tested = len(data.test)
    if data.validation:
        tested += len(data.validation)
    seen = len(data.train)
    if data.epoch_batches:
        seen = min(seen, data.epoch_batches * config.train.batch_size)
    plain = networks * (3 * seen + tested)
    if isinstance(method, DivideMix):
        warmup = min(method.shortest_warmup, epochs)
        labeled = (1 - (data.noise_rate or 0)) * seen
        each = networks * (seen + labeled * _forwards_per_labeled(method) + tested)
        return warmup * plain + (epochs - warmup) * int(each)
    forwards = epochs * plain
    if isinstance(method, ElrPlus):
        forwards += epochs * networks * seen
    elif isinstance(method, SsrPlus):
        # A step: two mixed views, a weak and a strong one; before it, the selection.
        forwards += epochs * (2 * 3 + 1 + 3 + 1 - 3) * seen
    elif isinstance(method, Forgetting) and method.forget_rate == "estimated":
        forwards += min(method.gradual_epochs, epochs - 1) * networks * seen
    return forwards


def _forwards_per_labeled(method: DivideMix) -> int:
    """Return the image-forward equivalents of a step, per labeled image and network."""
    learned = 3 if method.forward_rows == "labeled" else 6
    guesses = 0
    if method.co_guess != "peer":  # the network's own guess
        guesses += 1
    if method.co_guess and method.networks == 2:
        guesses += 1
    return method.n_aug * (learned + guesses + method.co_refine)


def space(trial: Trial) -> tuple[int, int]:
    """Return the estimated bytes (`kept`, `while_running`) of one trial; see `Cost`."""
    data = trial.data
    train = trial.config.train
    weights = 0
    for learner in trial.method.learners:
        for tensor in learner.network.state_dict().values():
            weights += tensor.numel() * tensor.element_size()
    # Rows, TensorBoard events of the same numbers, and images of three divisions.
    rows = train.epochs * 4000 + 100_000
    table = len(data.train) * (3 * (4 * trial.config.method.networks + 4) + 21)
    kept = weights + rows + table
    if data.validation:  # best.pt
        kept += weights
    # A checkpoint has the weights, the optimiser's averages and the EMA of the weights.
    checkpoint = 2 * weights
    if train.optimizer == "adam":
        checkpoint += weights
    if train.ema_decay:
        checkpoint += weights
    return kept, 2 * checkpoint


def _seconds_per_forward(trial: Trial) -> float:
    """Time training steps of the first network; return the seconds per image-forward equivalent."""
    learner = trial.method.learners[0]
    data = trial.data.train
    rng = trial.method.streams.torch("cost", device=data.device)
    index = torch.arange(len(data), device=data.device)[: 2 * trial.config.train.batch_size]
    seconds = []
    for _ in range(STEPS + 1):
        start = time.perf_counter()
        before = learner.forwards
        images = data.views(index, 1, rng)[0]
        loss = F.cross_entropy(learner(images), data.given[index])
        learner.step(loss)
        _synchronize(trial.device)
        seconds.append((time.perf_counter() - start) / (learner.forwards - before))
    return statistics.median(seconds[1:])  # the first step also allocates


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
