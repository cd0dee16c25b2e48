"""One network with its optimiser and schedule."""

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from trainable.config import Train
from trainable.data.sources import Samples
from trainable.models.head import head

EVAL_BATCH = 1024


class Learner:
    """A network in channels-last memory with its optimiser.

    `forwards` counts work in image-forward equivalents: a backward pass costs two forwards.
    """

    def __init__(self, network: nn.Module, train: Train, device: torch.device):
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.train = train
        self.optimizer = build_optimizer(self.network, train)
        self.forwards = 0
        self.head_only = False

    def start_epoch(self, finished: int, head_only: bool = False) -> float:
        """Set and return the learning rate for the epoch after `finished` ones; say whether only the head learns."""
        if self.train.lr_schedule == "cosine":
            lr = self.train.lr * (1 + math.cos(math.pi * finished / self.train.epochs)) / 2
        else:
            drops = sum(finished >= milestone for milestone in self.train.lr_milestones)
            lr = self.train.lr * self.train.lr_gamma**drops
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        if head_only != self.head_only:
            self.network.requires_grad_(not head_only)
            head(self.network).requires_grad_(True)
            for parameter in self.network.parameters():  # the fused step wants momentum for all of them or for none
                self.optimizer.state[parameter].setdefault("momentum_buffer", torch.zeros_like(parameter))
            self.head_only = head_only
        self.network.train()
        return lr

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (batch, classes) with gradient, in the network's present mode."""
        self.forwards += (1 if self.head_only else 3) * len(images)
        return self.network(images)

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
        return self.network(images).softmax(1)

    @torch.no_grad()
    def logits(self, samples: Samples) -> torch.Tensor:
        """Logits (n, classes) of all samples, in eval mode and without augmentation."""
        self.forwards += len(samples)
        with self.mode("eval"):
            size = min(EVAL_BATCH, samples.most_at_once)
            batches = samples.ahead(slice(s, s + size) for s in range(0, len(samples), size))
            return torch.cat([self.network(samples.plain(batch)) for batch in batches])

    def logits_and_features(self, samples: Samples) -> tuple[torch.Tensor, torch.Tensor]:
        """`logits`, and what entered the network's last linear layer (n, width) on the way. Raises DataError."""
        features: list[torch.Tensor] = []
        hook = head(self.network).register_forward_pre_hook(lambda module, inputs: features.append(inputs[0]))
        try:
            return self.logits(samples), torch.cat(features)
        finally:
            hook.remove()

    def frozen(self) -> "Learner":
        """A copy for predictions, whose weights stay as they are now; its work counts from 0."""
        twin = copy.copy(self)
        twin.network, twin.forwards = copy.deepcopy(self.network), 0
        return twin

    def state_dict(self) -> dict[str, Any]:
        """Weights, BatchNorm buffers, the optimiser's averages and work so far."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "forwards": self.forwards,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`'s result."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.forwards = state["forwards"]


def build_optimizer(network: nn.Module, train: Train) -> torch.optim.Optimizer:
    """The optimiser of `train` for all parameters, BatchNorm's included (as in the authors' code)."""
    weights, decay = network.parameters(), train.weight_decay
    if train.optimizer == "adam":
        return torch.optim.Adam(weights, train.lr, (train.momentum, 0.999), weight_decay=decay, fused=True)
    return torch.optim.SGD(weights, train.lr, train.momentum, weight_decay=decay, fused=True)


def step_together(learners: Sequence[Learner], loss: torch.Tensor) -> None:
    """One descent of several networks on a scalar loss that they share."""
    for learner in learners:
        learner.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    for learner in learners:
        learner.optimizer.step()
