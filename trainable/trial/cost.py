"""What a trial will cost, from a few timed steps: seconds of training and bytes on disk."""

import statistics
import time
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from trainable.config.dividemix import DivideMix
from trainable.config.methods import ElrPlus, Forgetting, MixMatch
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.methods.mixmatch import as_dividemix
from trainable.trial.trial import Trial

STEPS = 9


@dataclass(frozen=True)
class Cost:
    """An estimate for one trial.

    `seconds` is training and testing on this machine; `kept` bytes stay when the trial is done,
    `while_running` are needed on top until then (two checkpoints).
    """

    seconds: float
    kept: int
    while_running: int


def estimate(config: TrialConfig, machine: Machine) -> Cost:
    """Build the trial, time a few training steps and scale by its image-forward equivalents.

    A DivideMix step costs, per labeled image and network, the gradient pass over its views and
    those of an unlabeled image (12 forwards for two each), and the predictions that its targets
    need. How many samples will be labeled is not known before the run: as many are assumed as have
    right labels, and all where nobody knows. Nor is the end of an automatic warm-up: one epoch is
    assumed, which makes the estimate an upper bound. Of the other methods, ELR+ asks an average for
    its targets, and an estimated forget rate needs the losses of all samples in the gradual epochs.
    """
    trial = Trial(config, machine)
    data = trial.data
    method = as_dividemix(config.method) if isinstance(config.method, MixMatch) else config.method
    networks, epochs = method.networks, config.train.epochs
    tested = len(data.test) + (len(data.validation) if data.validation else 0)
    seen = len(data.train)
    if data.epoch_batches:
        seen = min(seen, data.epoch_batches * config.train.batch_size)
    plain = networks * (3 * seen + tested)
    forwards = epochs * plain
    if isinstance(method, DivideMix):
        warmup = min(method.shortest_warmup, epochs)
        labeled = (1 - (data.noise_rate or 0)) * seen
        learned = 3 if method.forward_rows == "labeled" else 6
        guesses = (method.co_guess != "peer") + bool(method.co_guess and networks == 2)
        per_labeled = method.n_aug * (learned + guesses + method.co_refine)
        each = networks * (seen + labeled * per_labeled + tested)
        forwards = warmup * plain + (epochs - warmup) * int(each)
    elif isinstance(method, ElrPlus):
        forwards += epochs * networks * seen
    elif isinstance(method, Forgetting) and method.forget_rate == "estimated":
        forwards += min(method.gradual_epochs, epochs - 1) * networks * seen
    return Cost(forwards * _seconds_per_forward(trial), *space(trial))


def space(trial: Trial) -> tuple[int, int]:
    """(`kept`, `while_running`) bytes of one trial."""
    data, networks, epochs = trial.data, trial.config.method.networks, trial.config.train.epochs
    tensors = [
        t for learner in trial.method.learners for t in learner.network.state_dict().values()
    ]
    weights = sum(t.numel() * t.element_size() for t in tensors)
    rows = (
        epochs * 4000 + 100_000
    )  # a row, the same numbers as TensorBoard events, and pictures of three divisions
    table = len(data.train) * (3 * (4 * networks + 4) + 21)
    averages = weights * (2 if trial.config.train.optimizer == "adam" else 1)
    averages += weights if trial.config.train.ema_decay else 0
    # A checkpoint has these averages beside the weights, and there are two checkpoints.
    return weights * (2 if data.validation else 1) + rows + table, 2 * (weights + averages)


def _seconds_per_forward(trial: Trial) -> float:
    """Seconds of one image-forward equivalent, from training steps on the first network."""
    learner, data, size = (
        trial.method.learners[0],
        trial.data.train,
        2 * trial.config.train.batch_size,
    )
    rng = trial.method.streams.torch("cost", device=data.device)
    index = torch.arange(len(data), device=data.device)[:size]
    seconds = []
    for _ in range(STEPS + 1):
        start, before = time.perf_counter(), learner.forwards
        loss = F.cross_entropy(learner(data.views(index, 1, rng)[0]), data.given[index])
        learner.step(loss)
        _synchronize(trial.device)
        seconds.append((time.perf_counter() - start) / (learner.forwards - before))
    return statistics.median(seconds[1:])  # the first step also allocates


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
