"""Stochastic gradient descent with momentum, with torch's functional `sgd`.

The first instance of `torch.optim.SGD` imports torch's compiler. That takes four seconds in every
process, more than the training of a short trial. Results are equal bit for bit, because the kernel
is the same.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch.optim.sgd import sgd


class SGD:
    """The subset of `torch.optim.SGD(…, fused=True)` that a `Learner` uses.

    Each parameter has a momentum buffer, which is zero before its first step. A parameter without a
    gradient does not change.
    """

    def __init__(
        self,
        parameters: Iterable[torch.nn.Parameter],
        lr: float,
        momentum: float,
        weight_decay: float,
    ):
        self.parameters = list(parameters)
        self.averages = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.param_groups: list[dict[str, Any]] = [{"params": self.parameters, "lr": lr}]
        self.momentum = momentum
        self.weight_decay = weight_decay

    def zero_grad(self) -> None:
        """Delete the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Take one step along the momentum buffers."""
        moved: list[torch.Tensor] = []
        gradients: list[torch.Tensor] = []
        averages: list[torch.Tensor | None] = []
        for parameter, average in zip(self.parameters, self.averages, strict=True):
            if parameter.grad is not None:
                moved.append(parameter)
                gradients.append(parameter.grad)
                averages.append(average)
        sgd(
            moved,
            gradients,
            averages,
            fused=True,
            lr=self.param_groups[0]["lr"],
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            dampening=0,
            nesterov=False,
            maximize=False,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the momentum buffers in the format of `torch.optim.SGD`'s state."""
        state = {k: {"momentum_buffer": average} for k, average in enumerate(self.averages)}
        return {"state": state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from the result of `state_dict`, or from that of `torch.optim.SGD`."""
        for k, entry in state["state"].items():
            self.averages[k].copy_(entry["momentum_buffer"])
