"""Parts of study files that the program writes: names, paths, sections."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.study.planned_trial import LONGEST_NAME
from trainable.config.base import Section
from trainable.config.trial import TrialConfig

PLAIN = re.compile(r"(\.\./)*/?[A-Za-z_][A-Za-z0-9_./-]*")
"""Text that needs no quotes, apart from `WORDS` in any case."""
WORDS = {"true", "false", "null", "yes", "no", "on", "off"}
LEFT_OUT = ("labels_hash", "weights_hash", "recipe")
"""Fields that the program fills in when it reads a study, and the recipe: its values are in the
other fields, and it would fill in those that a trial has at their defaults."""
PATHS = ("path", "weights")
"""Fields that are paths, relative to the folder of the study file."""


def study_name(text: str) -> str:
    """Return a text reduced to the characters that a study's name may have."""
    name = re.sub(r"[^a-z0-9_.=+,-]", "_", text.lower())
    return name.lstrip(".=+,-")[:LONGEST_NAME] or "mine"


def path_in(file: Path, target: Path) -> str:
    """Return a path as the study `file` writes it: relative where both are close together."""
    path = target.resolve()
    relative = Path(os.path.relpath(path, file.resolve().parent))
    far = relative.parts[:2] == ("..", "..")
    return str(path if far else relative)


def sections(config: TrialConfig, moved: Callable[[str], str]) -> dict[str, dict[str, Any]]:
    """Return a trial's settings as the section `base` of a study has them, without defaults.

    Args:
        config: the trial; its seed and the trial that it uses are left out.
        moved: path as the trial's study wrote it → path for the new study.
    """
    found = {}
    for name in ("data", "noise", "model", "train", "method"):
        section: Section = getattr(config, name)
        content = section.model_dump(exclude_defaults=True)
        first = {}
        if "name" in type(section).model_fields:
            first["name"] = section.name  # type: ignore[attr-defined]
        for field in PATHS:
            if isinstance(content.get(field), str):
                first[field] = moved(content.pop(field))
        for field in LEFT_OUT:
            content.pop(field, None)
        if first or content:
            found[name] = {**first, **content}
    return found


def flow(value: Any) -> str:
    """Write plain data on one line of YAML: `{name: npz, path: "my data.npz"}`."""
    match value:
        case dict():
            inside = ", ".join(f"{flow(key)}: {flow(each)}" for key, each in value.items())
            return f"{{{inside}}}"
        case list() | tuple():
            return f"[{', '.join(map(flow, value))}]"
        case str() if PLAIN.fullmatch(value) and value.lower() not in WORDS:
            return value
    return json.dumps(value, ensure_ascii=False)


def comment(text: str) -> str:
    """Write a text as one line of a comment."""
    shown = "".join(each if each.isprintable() else "�" for each in text)
    return f"# {shown}"
