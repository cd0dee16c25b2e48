"""Several views of a batch in one forward pass, each with its own BatchNorm statistics.

DivideMix guesses labels with networks in train mode, one view after the other: BatchNorm then uses
the statistics of a view, and updates its running ones with each. All views together would be
another algorithm (`method.guess_batched`). The layers here normalise view by view inside one pass,
so a guess takes the launches of one forward pass instead of four, and the results are equal up to
the rounding of convolutions of another batch size.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class ViewBatchNorm(_BatchNorm):
    """A BatchNorm layer that normalises consecutive parts of a batch one after the other.

    Attributes:
        sizes: rows of each part; empty: the batch is one part.
    """

    sizes: Sequence[int] = ()

    def _check_input_dim(self, input: torch.Tensor) -> None:
        """Accept any number of dimensions; the layer that this one replaces has its own check."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return normalised activations of the same shape."""
        if not self.sizes:
            return super().forward(input)
        parts = torch.split(input, list(self.sizes))
        return torch.cat([self._normalised(part) for part in parts])

    def _normalised(self, part: torch.Tensor) -> torch.Tensor:
        """Return a part normalised by its statistics.

        One value per channel has no variance, and torch raises an error: such a part is normalised
        by the running statistics, as `trainable.models.build.survives_one_image` does for a batch.
        """
        if self.training and part.numel() == part.shape[1]:
            return F.batch_norm(
                part, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(part)


def separate_views(network: nn.Module) -> list[ViewBatchNorm] | None:
    """Replace the BatchNorm layers of a network by layers that can tell views apart.

    Weights, buffers and their names stay as they are.

    Returns:
        The new layers; None if the network has a kind of BatchNorm that cannot be replaced. It is
        then unchanged.
    """
    layers = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    replaced = (nn.BatchNorm1d, nn.BatchNorm2d, ViewBatchNorm)
    if any(type(layer) not in replaced for layer in layers):
        return None
    for layer in layers:
        layer.__class__ = ViewBatchNorm
    return [layer for layer in layers if isinstance(layer, ViewBatchNorm)]


@contextmanager
def views_of(layers: list[ViewBatchNorm], sizes: Sequence[int]) -> Iterator[None]:
    """Tell the layers the rows of each view inside the block."""
    for layer in layers:
        layer.sizes = sizes
    try:
        yield
    finally:
        for layer in layers:
            layer.sizes = ()
