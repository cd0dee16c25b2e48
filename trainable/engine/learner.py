"""One network with its optimiser and schedule."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from trainable.config.optimization import Train
from trainable.data.samples import Samples
from trainable.engine.sgd import SGD
from trainable.engine.view_statistics import separate_views, views_of
from trainable.models.head import head

CACHED = 2**16
"""Most numbers of images that are predicted in one pass on a CPU."""
RISE = 0.3
"""Share of the epochs in which the learning rate of `one_cycle` increases."""


class Learner:
    """A network in channels-last memory with its optimiser.

    Attributes:
        network: the trained network, on the device.
        averaged: EMA of the weights, in eval mode; None: `train.ema_decay` is 0.
        train: optimiser, schedule and precision.
        optimizer: optimiser of all parameters.
        forwards: work in image-forward equivalents; a backward pass counts as two forwards.
        head_only: whether only the last linear layer learns in this epoch.
    """

    def __init__(
        self, network: nn.Module, train: Train, device: torch.device, compiled: bool = False
    ):
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.averaged = copy.deepcopy(self.network).eval() if train.ema_decay else None
        self._separable = separate_views(self.network)
        # Its next call may overwrite its results; float, softmax and loss make new tensors first.
        self._compiled: Callable[[torch.Tensor], torch.Tensor] | None = None
        if compiled and device.type == "cuda":
            self._compiled = torch.compile(self.network, mode="reduce-overhead", dynamic=False)
        self.train = train
        self.optimizer = build_optimizer(self.network, train)
        self.forwards = 0
        self.head_only = False

    def start_epoch(self, finished: int, head_only: bool = False) -> float:
        """Set and return the learning rate of the epoch after `finished` epochs.

        With `head_only`, only the last linear layer learns in this epoch.
        """
        lr = learning_rate(self.train, finished)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        if head_only != self.head_only:
            self.network.requires_grad_(not head_only)
            head(self.network).requires_grad_(True)
            self.head_only = head_only
        self.network.train()
        return lr

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, classes) with gradient, in the network's current mode."""
        per_image = 1 if self.head_only else 3
        self.forwards += per_image * len(images)
        return self._outputs(images)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Return the inputs (batch, width) of the last linear layer, in the current mode.

        Gradients are those of the block in which it is called.

        Raises:
            DataError: the network has no linear layer.
        """
        self.forwards += (3 if torch.is_grad_enabled() else 1) * len(images)
        with self.keeping_features() as features, autocast(self.train.precision, images.device):
            self.network(images)
        return self._widened(features[0])

    def step(self, loss: torch.Tensor) -> None:
        """Take one optimiser step on a scalar loss."""
        step_together([self], loss)

    @contextmanager
    def mode(self, name: str) -> Iterator[None]:
        """Set the network to `train` or `eval` mode inside the block."""
        before = self.network.training
        wanted = name == "train"
        if before == wanted:  # visiting every module takes time
            yield
            return
        self.network.train(wanted)
        try:
            yield
        finally:
            self.network.train(before)

    @torch.no_grad()
    def probabilities(self, images: torch.Tensor) -> torch.Tensor:
        """Return softmax predictions (batch, classes) without gradient, in the current mode."""
        self.forwards += len(images)
        return self._outputs(images).softmax(1)

    @torch.no_grad()
    def probabilities_of_views(self, views: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Return the `probabilities` of several views, as if one was predicted after the other.

        In train mode BatchNorm uses the statistics of each view, and updates its running ones with
        each. Where the calls take longer than the arithmetic, all views are predicted in one pass.
        """
        if self._separable is None or not _small(views):
            return [self.probabilities(view) for view in views]
        sizes = [len(view) for view in views]
        with views_of(self._separable, sizes):
            return list(torch.split(self.probabilities(torch.cat(list(views))), sizes))

    @torch.no_grad()
    def logits(self, samples: Samples) -> torch.Tensor:
        """Return logits (n, classes) of all samples, in eval mode and without augmentation."""
        with self.mode("eval"):
            return torch.cat([self.predict(images) for _, images in samples.in_batches()])

    def predict(self, images: torch.Tensor, tested: bool = False) -> torch.Tensor:
        """Return logits (batch, classes) of plain images, in the network's current mode.

        `tested`: by the tested network, not by the trained one.
        """
        self.forwards += len(images)
        network = self.tested if tested else self.network
        with autocast(self.train.precision, images.device):
            return self._widened(network(images))

    @property
    def compiled(self) -> bool:
        """Whether full batches run compiled."""
        return self._compiled is not None

    @property
    def tested(self) -> nn.Module:
        """The network that is tested and stored: the EMA if it exists, else the trained network."""
        return self.network if self.averaged is None else self.averaged

    def _outputs(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, classes) in fp32.

        A batch whose size is no multiple of `batch_size`, the last of an epoch, is not compiled.
        """
        network: Callable[[torch.Tensor], torch.Tensor] = self.network
        full = len(images) % self.train.batch_size == 0
        if self._compiled is not None and full:
            network = self._compiled
        with autocast(self.train.precision, images.device):
            return self._widened(network(images))

    def _widened(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.float() if self.train.precision == "bf16" else logits

    @contextmanager
    def keeping_features(self) -> Iterator[list[torch.Tensor]]:
        """Collect the inputs (batch, width) of the network's last linear layer inside the block.

        Raises:
            DataError: the network has no linear layer.
        """
        features: list[torch.Tensor] = []
        hook = head(self.network).register_forward_pre_hook(
            lambda module, inputs: features.append(inputs[0])
        )
        try:
            yield features
        finally:
            hook.remove()

    def frozen(self) -> "Learner":
        """Return a copy for predictions with the current weights; its work counts from 0."""
        twin = copy.copy(self)
        twin.network = copy.deepcopy(self.network)
        twin._separable = separate_views(twin.network)
        twin._compiled = None
        twin.forwards = 0
        return twin

    def state_dict(self) -> dict[str, Any]:
        """Return weights with BatchNorm buffers, optimiser averages, work, and the EMA if any."""
        state: dict[str, Any] = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "forwards": self.forwards,
        }
        if self.averaged is not None:
            state["averaged"] = self.averaged.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from the result of `state_dict`.

        Momentum, weight decay and learning rate remain those of this learner's `train`.
        """
        self.network.load_state_dict(state["network"])
        averages = {"state": state["optimizer"]["state"]}
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), **averages})
        self.forwards = state["forwards"]
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Return the context in which networks predict with that `train.precision`."""
    if precision == "bf16":
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def _small(views: Sequence[torch.Tensor]) -> bool:
    """Return whether one pass for all views is faster: on a GPU, and for small images on a CPU.

    Activations of larger images leave the caches of a CPU: in one pass, four views of 64 images of
    32×32 pixels take 1.4 times as long as one after the other, and those of 8×8 pixels 0.8 times.
    """
    return views[0].is_cuda or sum(view.numel() for view in views) <= CACHED


def build_optimizer(network: nn.Module, train: Train) -> torch.optim.Optimizer | SGD:
    """Build the optimiser of all parameters, including BatchNorm's (as in the authors' code)."""
    weights = network.parameters()
    decay = train.weight_decay
    if train.optimizer == "adam":
        betas = (train.momentum, 0.999)
        return torch.optim.Adam(weights, train.lr, betas, weight_decay=decay, fused=True)
    return SGD(weights, train.lr, train.momentum, decay)


def step_together(learners: Sequence[Learner], loss: torch.Tensor) -> None:
    """Take one optimiser step of several networks on a scalar loss that they share."""
    for learner in learners:
        learner.optimizer.zero_grad()
    torch.autograd.backward(loss)
    for learner in learners:
        learner.optimizer.step()
        if learner.averaged is not None:
            _update_average(learner.averaged, learner.network, learner.train.ema_decay)


def learning_rate(train: Train, finished: int) -> float:
    """Return the learning rate of the epoch after `finished` epochs."""
    match train.lr_schedule:
        case "cosine":
            return train.lr * (1 + math.cos(math.pi * finished / train.epochs)) / 2
        case "one_cycle":
            middle = (finished + 0.5) / train.epochs
            return train.lr * min(middle / RISE, (1 - middle) / (1 - RISE))
        case "step":
            drops = sum(finished >= milestone for milestone in train.lr_milestones)
            return train.lr * train.lr_gamma**drops


@torch.no_grad()
def _update_average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    """Update the EMA of weights and BatchNorm statistics by one step."""
    averages = averaged.state_dict().values()
    values = network.state_dict().values()
    for average, value in zip(averages, values, strict=True):
        if average.is_floating_point():
            average.lerp_(value, 1 - decay)
