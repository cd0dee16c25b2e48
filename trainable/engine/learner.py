"""One network with its optimiser and schedule."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from trainable.config.optimization import Train
from trainable.data.samples import Samples
from trainable.engine.sgd import SGD
from trainable.models.head import head

RISE = 0.3
"""Share of the epochs in which `one_cycle` rises."""


class Learner:
    """A network in channels-last memory with its optimiser.

    `forwards` counts work in image-forward equivalents: a backward pass costs two forwards.
    """

    def __init__(
        self, network: nn.Module, train: Train, device: torch.device, compiled: bool = False
    ):
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.averaged = copy.deepcopy(self.network).eval() if train.ema_decay else None
        # The next call may overwrite its results; float, softmax and loss make new ones at once.
        self._compiled: Callable[[torch.Tensor], torch.Tensor] | None = None
        if compiled and device.type == "cuda":
            self._compiled = torch.compile(self.network, mode="reduce-overhead", dynamic=False)
        self.train = train
        self.optimizer = build_optimizer(self.network, train)
        self.forwards = 0
        self.head_only = False

    def start_epoch(self, finished: int, head_only: bool = False) -> float:
        """Set and return the learning rate for the epoch after `finished` ones.

        With `head_only`, only the last linear layer learns in it.
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
        """Logits (batch, classes) with gradient, in the network's present mode."""
        per_image = 1 if self.head_only else 3
        self.forwards += per_image * len(images)
        return self._outputs(images)

    def step(self, loss: torch.Tensor) -> None:
        """One descent on a scalar loss."""
        step_together([self], loss)

    @contextmanager
    def mode(self, name: str) -> Iterator[None]:
        """Put the network into `train` or `eval` mode for a while."""
        before = self.network.training
        self.network.train(name == "train")
        try:
            yield
        finally:
            self.network.train(before)

    @torch.no_grad()
    def probabilities(self, images: torch.Tensor) -> torch.Tensor:
        """Softmax predictions (batch, classes) without gradient, in the network's present mode."""
        self.forwards += len(images)
        return self._outputs(images).softmax(1)

    @torch.no_grad()
    def logits(self, samples: Samples) -> torch.Tensor:
        """Logits (n, classes) of all samples, in eval mode and without augmentation."""
        with self.mode("eval"):
            return self._all_logits(self.network, samples)

    @property
    def compiled(self) -> bool:
        """Whether whole batches run compiled."""
        return self._compiled is not None

    @property
    def tested(self) -> nn.Module:
        """The network that is tested and kept: the averaged one, if there is one."""
        return self.network if self.averaged is None else self.averaged

    @torch.no_grad()
    def test_logits(self, samples: Samples) -> torch.Tensor:
        """`logits` of the network that is tested."""
        if self.averaged is None:
            return self.logits(samples)
        return self._all_logits(self.averaged, samples)

    def _all_logits(self, network: nn.Module, samples: Samples) -> torch.Tensor:
        self.forwards += len(samples)
        size = samples.most_at_once
        batches = samples.ahead(slice(s, s + size) for s in range(0, len(samples), size))
        with self._precision(samples.device):
            parts = [network(samples.plain(batch)) for batch in batches]
            return self._widened(torch.cat(parts))

    def _outputs(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (batch, classes) in fp32.

        Batches of odd sizes, the last ones of an epoch, are not compiled.
        """
        network: Callable[[torch.Tensor], torch.Tensor] = self.network
        whole = len(images) % self.train.batch_size == 0
        if self._compiled is not None and whole:
            network = self._compiled
        with self._precision(images.device):
            return self._widened(network(images))

    def _widened(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.float() if self.train.precision == "bf16" else logits

    def _precision(self, device: torch.device) -> torch.autocast:
        return torch.autocast(device.type, torch.bfloat16, enabled=self.train.precision == "bf16")

    def logits_and_features(self, samples: Samples) -> tuple[torch.Tensor, torch.Tensor]:
        """`logits`, and what entered the network's last linear layer on the way, (n, width).

        Raises:
            DataError: the network has no such layer.
        """
        features: list[torch.Tensor] = []
        hook = head(self.network).register_forward_pre_hook(
            lambda module, inputs: features.append(inputs[0])
        )
        try:
            return self.logits(samples), torch.cat(features)
        finally:
            hook.remove()

    def frozen(self) -> "Learner":
        """A copy for predictions, whose weights stay as they are now; its work counts from 0."""
        twin = copy.copy(self)
        twin.network = copy.deepcopy(self.network)
        twin._compiled = None
        twin.forwards = 0
        return twin

    def state_dict(self) -> dict[str, Any]:
        """Weights with BatchNorm's buffers, the optimiser's averages, and work so far.

        Also the average of the weights, if there is one.
        """
        state: dict[str, Any] = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "forwards": self.forwards,
        }
        if self.averaged is not None:
            state["averaged"] = self.averaged.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from `state_dict`'s result."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.forwards = state["forwards"]
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])


def build_optimizer(network: nn.Module, train: Train) -> torch.optim.Optimizer | SGD:
    """The optimiser of `train` for all parameters, BatchNorm's included (as the authors' code)."""
    weights = network.parameters()
    decay = train.weight_decay
    if train.optimizer == "adam":
        betas = (train.momentum, 0.999)
        return torch.optim.Adam(weights, train.lr, betas, weight_decay=decay, fused=True)
    return SGD(weights, train.lr, train.momentum, decay)


def step_together(learners: Sequence[Learner], loss: torch.Tensor) -> None:
    """One descent of several networks on a scalar loss that they share."""
    for learner in learners:
        learner.optimizer.zero_grad()
    torch.autograd.backward(loss)
    for learner in learners:
        learner.optimizer.step()
        if learner.averaged is not None:
            _follow(learner.averaged, learner.network, learner.train.ema_decay)


def learning_rate(train: Train, finished: int) -> float:
    """The learning rate of the epoch after `finished` ones."""
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
def _follow(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    """Move an average of weights and BatchNorm statistics on by one step."""
    averages = averaged.state_dict().values()
    values = network.state_dict().values()
    for kept, new in zip(averages, values, strict=True):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - decay)
