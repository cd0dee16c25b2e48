"""Overrides by dotted path, applied to the defaults of `TrialConfig` and checked against it."""

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
