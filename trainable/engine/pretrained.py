"""Networks that start from a file of weights (`init: pretrained`)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trainable.config.initialization import content_hash
from trainable.errors import DataError
from trainable.models.head import head_name

Weights = Mapping[str, torch.Tensor]


def load_pretrained(
    networks: Sequence[nn.Module], file: Path, expected: str | None = None
) -> list[str]:
    """Give networks the weights of a file; what was left out is returned in sentences.

    `expected` is the hash of the file's content, where the file itself is what was asked for. A list of several state
    dicts is dealt out to the networks in turn.

    Raises:
        DataError: the file is gone, has changed, holds no weights, or those of another network.
    """
    notes = []
    states = _read(file, expected)
    for k, network in enumerate(networks):
        state = states[k % len(states)]
        note = _load(network, state, file)
        notes += [f"network {k}: {note}"] if note else []
    return notes


def _read(file: Path, expected: str | None) -> list[Weights]:
    try:
        stat = file.stat()
        if expected is not None and content_hash(file, stat.st_mtime_ns, stat.st_size) != expected:
            raise DataError(f"{file} has changed since the study was read; run it again")
        content = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from None
    except DataError:
        raise
    except Exception as error:  # torch raises half a dozen kinds
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"{file} is no file of weights that can be loaded safely: {reason}"
        ) from None
    states = content if isinstance(content, list) else [content]
    if not states or not all(map(_is_state, states)):
        raise DataError(
            f"{file} holds no weights: it should be as torch.save(network.state_dict(), …) writes it"
        )
    return states


def _is_state(content: Any) -> bool:
    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(isinstance(v, torch.Tensor) for v in content.values())
    )


def _load(network: nn.Module, state: Weights, file: Path) -> str:
    """Load one state dict. Returns what was left out, or nothing. Raises DataError."""
    own = network.state_dict()
    last = {name for name in own if name.startswith(f"{head_name(network)}.")}
    shapes = {name: tuple(tensor.shape) for name, tensor in own.items()}
    odd = {name for name in last if name not in state or tuple(state[name].shape) != shapes[name]}
    kept = (
        {name: tensor for name, tensor in state.items() if name not in last} if odd else dict(state)
    )
    wrong = [
        f"{name} is missing"
        for name in own
        if name not in kept and name not in (last if odd else ())
    ]
    wrong += [f"{name} is unknown" for name in kept if name not in own]
    wrong += [
        f"{name} is {tuple(tensor.shape)} and should be {shapes[name]}"
        for name, tensor in kept.items()
        if name in own and tuple(tensor.shape) != shapes[name]
    ]
    if wrong:
        rest = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise DataError(f"{file} has the weights of another network: {', '.join(wrong[:3])}{rest}")
    network.load_state_dict({**own, **kept})
    if not odd:
        return ""
    return (
        f"the last layer ({', '.join(sorted(last))}) does not fit {file.name} and starts at random"
    )
