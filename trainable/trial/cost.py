"""Estimate a trial's training time in seconds, from a few timed steps, and its bytes on disk."""

import math
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from trainable.config.base import Section
from trainable.config.data import ImageData, NoNoise, Npz
from trainable.config.dividemix import DivideMix
from trainable.config.methods import ElrPlus, Forgetting, MixMatch, SsrPlus
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.methods.mixmatch import as_dividemix
from trainable.trial.trial import Trial

STEPS = 9
SLOW = 0.9
"""Share of the timed steps that are faster than the slow one which is told."""


@dataclass(frozen=True)
class Pace:
    """Seconds per image-forward equivalent.

    Attributes:
        low: if no other program used this machine. On a CPU it is the processor's time; on a GPU
            the fastest step.
        typical: of the median step, as the machine is loaded now.
        high: of a slow step.
    """

    low: float
    typical: float
    high: float


@dataclass(frozen=True)
class Images:
    """Number of images of a trial.

    Attributes:
        seen: training images of an epoch of the method's own.
        plain: training images of an epoch of plain training, as warm-up is.
        tested: test and validation images.
        right: share of right training labels, 0 to 1; 1 if it is unknown.
    """

    seen: int
    plain: int
    tested: int
    right: float = 1.0


@dataclass(frozen=True)
class Cost:
    """Estimated cost of one trial.

    Attributes:
        seconds: time of training and testing on this machine, s, as it is loaded now.
        low, high: the same without other programs, and if all steps were slow ones.
        kept: bytes on disk of the completed trial.
        while_running: additional bytes until then, for two checkpoints.
    """

    seconds: float
    low: float
    high: float
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
    work = forwards(config, _images(trial))
    pace = _pace(trial)
    return Cost(work * pace.typical, work * pace.low, work * pace.high, kept, while_running)


def _images(trial: Trial) -> Images:
    data = trial.method.data  # `retrain` uses all images, where an epoch of the others has a part
    tested = len(data.test)
    if data.validation:
        tested += len(data.validation)
    seen = plain = len(data.train)
    if data.epoch_batches:
        drawn = data.epoch_batches * trial.config.train.batch_size
        seen = min(seen, drawn)
        plain = min(plain, 2 * drawn)
    return Images(seen, plain, tested, 1 - (data.noise_rate or 0))


def forwards(config: TrialConfig, images: Images) -> int:
    """Return the image-forward equivalents of the whole trial, as `estimate` defines them."""
    method: Section = config.method
    if isinstance(method, MixMatch):
        method = as_dividemix(method)
    epochs = config.train.epochs
    networks = config.method.networks
    seen = images.seen
    tested = images.tested
    plain = networks * (3 * images.plain + tested)
    if isinstance(method, DivideMix):
        steps = math.ceil(images.plain / (2 * config.train.batch_size))
        warmup = min(method.warmup_length(epochs, steps), epochs)
        labeled = images.right * seen
        each = networks * (seen + labeled * _forwards_per_labeled(method) + tested)
        return warmup * plain + (epochs - warmup) * int(each)
    work = epochs * plain
    if isinstance(method, ElrPlus):
        work += epochs * networks * images.plain
    elif isinstance(method, SsrPlus):
        # A step: two mixed views, a weak and a strong one; before it, the selection.
        work += epochs * (2 * 3 + 1 + 3 + 1 - 3) * images.plain
    elif isinstance(method, Forgetting) and method.forget_rate == "estimated":
        work += min(method.gradual_epochs, epochs - 1) * networks * images.plain
    return work


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


def pace_of(config: TrialConfig, shape: tuple[int, int, int], machine: Machine) -> Pace:
    """Time steps of a configuration on random images, so that its data are not loaded.

    Args:
        config: its network, batch size and views of an image are used.
        shape: height, width and channels of an image.
        machine: where to train.

    Raises:
        DataError: the network does not take such images.
    """
    assert isinstance(config.data, ImageData), "other data are trained in seconds"
    rng = np.random.default_rng(0)
    count = 2 * config.train.batch_size
    images = rng.integers(0, 256, (count + 4, *shape), dtype=np.uint8)
    labels = np.arange(len(images)) % 2
    with tempfile.TemporaryDirectory() as folder:
        np.savez(
            Path(folder) / "random.npz",
            train_images=images[4:],
            train_labels=labels[4:],
            val_images=images[2:4],
            val_labels=labels[2:4],
            test_images=images[:2],
            test_labels=labels[:2],
        )
        data = Npz(
            path=str(Path(folder) / "random.npz"),
            validation_fraction=0,
            crop_padding=config.data.crop_padding,
            flip=config.data.flip,
        )
        changes = {"data": data, "noise": NoNoise()}
        return _pace(Trial(config.model_copy(update=changes), machine))


def _pace(trial: Trial) -> Pace:
    """Time training steps of the first network."""
    learner = trial.method.learners[0]
    data = trial.data.train
    rng = trial.method.streams.torch("cost", device=data.device)
    index = torch.arange(len(data), device=data.device)[: 2 * trial.config.train.batch_size]
    seconds = []
    of_processor = []
    for _ in range(STEPS + 1):
        start = time.perf_counter()
        start_of_processor = time.process_time()
        before = learner.forwards
        images = data.views(index, 1, rng)[0]
        loss = F.cross_entropy(learner(images), data.given[index])
        learner.step(loss)
        _synchronize(trial.device)
        work = learner.forwards - before
        seconds.append((time.perf_counter() - start) / work)
        of_processor.append((time.process_time() - start_of_processor) / work)
    # The first step also allocates.
    seconds = sorted(seconds[1:])
    low = seconds[0]
    if trial.device.type == "cpu":
        low = min(low, statistics.median(of_processor[1:]) / torch.get_num_threads())
    return Pace(low, statistics.median(seconds), seconds[int(SLOW * len(seconds))])


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
