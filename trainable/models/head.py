"""A network's last layer: what comes before it are features."""

from torch import nn

from trainable.errors import DataError


def head(network: nn.Module) -> nn.Linear:
    """The last linear layer of a network, which makes logits of features. Raises DataError if it
    has none."""
    return network.get_submodule(head_name(network))  # type: ignore[return-value]


def head_name(network: nn.Module) -> str:
    """Name of that layer among the network's modules. Raises DataError."""
    last: str | None = None
    for name, module in network.named_modules():
        if isinstance(module, nn.Linear):
            last = name
    if last is None:
        raise DataError("the model has no linear layer that could be told from its features")
    return last
