"""The last linear layer of a network; its inputs are the features."""

from torch import nn

from trainable.errors import DataError


def head(network: nn.Module) -> nn.Linear:
    """Return the last linear layer of a network, which maps features to logits.

    Raises:
        DataError: the network has no linear layer.
    """
    return network.get_submodule(head_name(network))  # type: ignore[return-value]


def head_name(network: nn.Module) -> str:
    """Return the name of the last linear layer among the network's modules.

    Raises:
        DataError: the network has no linear layer.
    """
    last: str | None = None
    for name, module in network.named_modules():
        if isinstance(module, nn.Linear):
            last = name
    if last is None:
        raise DataError(
            "the model has no linear layer, and its features are the inputs of the last one. "
            "End the model with torch.nn.Linear"
        )
    return last
