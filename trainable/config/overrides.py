"""Overrides by dotted path, applied to the defaults of `TrialConfig` and checked against it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainable.config.trial import TrialConfig


def resolve(study_dir: Path, *layers: dict[str, Any]) -> TrialConfig:
    """Apply overrides by dotted path to the defaults, the later over the earlier.

    `study_dir` is the folder in which own code and weights are looked up.

    Raises:
        ValidationError: `TrialConfig` rejects a path or a value.
    """
    content = _default_sections()
    for overrides in layers:
        _apply(content, overrides)
    return TrialConfig.model_validate(content, context={"study_dir": study_dir})


class SetTwice(ValueError):
    """A field is set by its dotted path and in a nested mapping; the text is its path."""


def dotted(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return overrides by dotted path; nested mappings and dotted paths mean the same.

    Numbers of NumPy, which samplers of search spaces draw, become Python's.

    Raises:
        SetTwice: a field is set twice.
    """
    found: dict[str, Any] = {}
    _flatten(content, "", found)
    return found


def _flatten(content: Mapping[str, Any], prefix: str, found: dict[str, Any]) -> None:
    """Add the overrides of a mapping, whose paths begin with `prefix`."""
    for key, value in content.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            _flatten(value, f"{path}.", found)
        elif path in found:
            raise SetTwice(path)
        else:
            found[path] = _plain(value)


def _plain(value: Any) -> Any:
    """Return a value without NumPy's types and without tuples."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    return value


def _default_sections() -> dict[str, Any]:
    """Return each section of `TrialConfig` with its default name only; pydantic adds the rest."""
    sections: dict[str, Any] = {}
    for section, value in TrialConfig().model_dump().items():
        if not isinstance(value, dict):
            continue
        sections[section] = {}
        if "name" in value:
            sections[section]["name"] = value["name"]
    return sections


def _apply(content: dict[str, Any], overrides: dict[str, Any]) -> None:
    """Set dotted paths in nested data.

    `X.name` first empties section X, so that fields of the old name are not kept.
    """
    for path, value in overrides.items():
        section, _, rest = path.partition(".")
        if rest == "name":
            content[section] = {"name": value}
    for path, value in overrides.items():
        *parents, last = path.split(".")
        target = content
        for key in parents:
            if not isinstance(target.get(key), dict):
                target[key] = {}
            target = target[key]
        if value == {} and isinstance(target.get(last), dict):
            continue  # `train: {}` changes nothing
        target[last] = value
