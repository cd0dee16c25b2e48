"""Fields of configurations that differ between arms, as plain values."""

import json
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = bool | float | str

SEED = "seed"
"""Field that differs between the trials of one arm."""


def varied_fields(configs: Mapping[Key, Mapping[str, Any]]) -> dict[Key, dict[str, Value]]:
    """Return each configuration's values of the fields that differ.

    A field differs if two configurations that have it have other values. All values of a field are
    numbers, or all are switches, or all are texts (lists and mixtures as JSON).

    Args:
        configs: resolved configurations as nested plain data.

    Returns:
        Key → dotted path → value; fields that a configuration lacks are left out.
    """
    flat = {key: dict(_flat(config)) for key, config in configs.items()}
    values: dict[str, dict[str, Any]] = {}
    for fields in flat.values():
        for path, value in fields.items():
            values.setdefault(path, {})[json.dumps(value)] = value
    varied = {path: list(found.values()) for path, found in values.items() if len(found) > 1}
    varied.pop(SEED, None)
    as_text = {path for path, found in varied.items() if not _one_kind(found)}
    return {
        key: {
            path: _text(value) if path in as_text else value
            for path, value in fields.items()
            if path in varied
        }
        for key, fields in flat.items()
    }


def _flat(config: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _one_kind(values: list[Any]) -> bool:
    """Return whether all values are switches, or all numbers, or all texts."""
    kinds = {bool if isinstance(value, bool) else type(value) for value in values}
    return kinds <= {int, float} or kinds in ({bool}, {str})


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
