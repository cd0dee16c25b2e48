"""Read the decisions that were made in another tool.

`label-studio`: each annotation of a JSON export is a decision of its annotator.
`huggingface`: a changed `label` of `metadata.csv` is a decision.
`cleanlab`: a changed `given_label` of Datalab's label issues is a decision.
"""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from analysis.audit.decisions import BadDecisions, Decision
from orchestrator.audit.tools import Tool
from trainable.storage.spreadsheets import unescaped


def read_decisions(tool: Tool, path: Path, given: dict[str, str], data: str) -> list[Decision]:
    """Return the decisions that were made in another tool.

    Args:
        tool: the tool.
        path: its file.
        given: image → name of the given label.
        data: hash of the data set.

    Raises:
        BadDecisions: the file has another form. Its images and classes are not checked here.
    """
    readers: dict[Tool, Callable[[Path], Iterator[tuple[str, str, str, str]]]] = {
        Tool.LABEL_STUDIO: _from_label_studio,
        Tool.HUGGINGFACE: lambda path: _from_table(path, "file_name", "label", given),
        Tool.CLEANLAB: lambda path: _from_table(path, "image", "given_label", given),
    }
    try:
        found = list(readers[tool](path))
    except (OSError, csv.Error, ValueError, LookupError, TypeError, AttributeError) as error:
        raise BadDecisions(f"{path} is no file of {tool}: {error}") from None
    return [
        Decision(time, reviewer or tool.value, data, image, "label", label)
        for time, reviewer, image, label in found
    ]


def _from_label_studio(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """Yield time, reviewer, image and label of each annotation of a JSON export."""
    tasks = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(tasks, list):
        raise ValueError("it is not a list of tasks")
    for task in tasks:
        for annotation in task.get("annotations", []):
            if annotation.get("was_cancelled"):
                continue
            for result in annotation["result"]:
                if result.get("from_name") == "label":
                    (label,) = result["value"]["choices"]
                    reviewer = _person(annotation.get("completed_by"))
                    time = str(annotation.get("updated_at") or annotation.get("created_at") or "")
                    yield time, reviewer, str(task["data"]["key"]), str(label)


def _person(completed_by: Any) -> str:
    """Return the name of an annotator: exports have a number, or an object with an address."""
    if isinstance(completed_by, dict):
        return str(completed_by.get("email") or completed_by.get("id") or "")
    if completed_by is None:
        return ""
    return f"annotator {completed_by}"


def _from_table(
    path: Path, image_column: str, label_column: str, given: dict[str, str]
) -> Iterator[tuple[str, str, str, str]]:
    """Yield the labels of a table that are not the given ones."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            image = unescaped(row[image_column])
            label = unescaped(row[label_column])
            if given.get(image) != label:
                yield "", "", image, label
