"""Networks of linear layers: `mlp` and `linear`."""

import math
from collections.abc import Sequence

from torch import nn

from trainable.config.models import Mlp


def mlp(model: Mlp, shape: Sequence[int], classes: int) -> nn.Module:
    """Build hidden layers with normalisation, ReLU and dropout, and one linear layer of logits.

    Args:
        model: depth, width, normalisation and dropout.
        shape: shape of an input without the batch; all its values are inputs of the first layer.
        classes: number of classes.
    """
    layers: list[nn.Module] = [nn.Flatten()]
    inputs = math.prod(shape)
    for _ in range(model.depth):
        # BatchNorm subtracts the mean, so a bias before it has no effect.
        layers.append(nn.Linear(inputs, model.width, bias=model.norm != "batch"))
        if model.norm == "batch":
            layers.append(nn.BatchNorm1d(model.width))
        elif model.norm == "layer":
            layers.append(nn.LayerNorm(model.width))
        layers.append(nn.ReLU(inplace=True))
        if model.dropout:
            layers.append(nn.Dropout(model.dropout))
        inputs = model.width
    layers.append(nn.Linear(inputs, classes))
    return nn.Sequential(*layers)


def linear(shape: Sequence[int], classes: int) -> nn.Module:
    """Build one linear layer for inputs of that shape without the batch."""
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), classes))
