"""Write an audit as a file of another tool.

`label-studio`: JSON tasks with the suggested label as a prediction.
`huggingface`: the table `metadata.csv` of an image folder.
`cleanlab`: the columns of Datalab's label issues.
"""

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from analysis.audit.audit import Audited, NoAudit
from orchestrator.audit.labels import Data
from orchestrator.audit.pictures import address_of
from orchestrator.audit.tools import Tool
from trainable.data.images import Files
from trainable.storage.spreadsheets import escaped

LIKELY = 0.5
"""A label is an issue if it is wrong with a greater probability."""


@dataclass(frozen=True)
class Judged:
    """One sample of an audit, with the names of its classes; None: the audit cannot say it."""

    row: int
    image: str
    given: str
    suggested: str | None
    wrong: float | None
    confidence: float | None


def judged(audited: Audited, data: Data) -> Iterator[Judged]:
    """Yield the samples of an audit, the most suspicious first."""
    names = data.labels(audited.given.index).classes
    ranked = audited.ranked
    judgement = audited.judgement
    for row, given, suggested, wrong, confidence in zip(
        ranked["index"].tolist(),
        ranked["given"].tolist(),
        ranked["suggested"].tolist(),
        ranked["wrong"].tolist(),
        ranked["confidence"].tolist(),
        strict=True,
    ):
        known = not math.isnan(confidence)
        yield Judged(
            row,
            data.image(row),
            names[given],
            names[suggested] if judgement.suggests else None,
            round(wrong, 4) if known else None,
            confidence if known else None,
        )


def export(tool: Tool, audited: Audited, data: Data, path: Path) -> list[Path]:
    """Write an audit for another tool; return the files."""
    if tool is Tool.LABEL_STUDIO:
        return _export_label_studio(audited, data, path)
    header: tuple[str, ...]
    rows: list[tuple[Any, ...]] = []
    if tool is Tool.HUGGINGFACE:
        header = ("file_name", "label", "suggested_label", "label_error_probability")
        for each in judged(audited, data):
            rows.append((each.image, each.given, each.suggested, each.wrong))
    else:
        header, rows = _datalab(audited, data)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([escaped(cell) for cell in row] for row in rows)
    return [path]


def _datalab(audited: Audited, data: Data) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Return the header and the rows of Datalab's label issues.

    Without probabilities, `label_score` is the place in the order, 0 for the most suspicious to 1,
    and there is no `is_label_issue`.
    """
    header = ("image", "label_score", "given_label", "predicted_label")
    rows: list[tuple[Any, ...]] = []
    issues = []
    last = max(len(audited.ranked) - 1, 1)
    for place, each in enumerate(judged(audited, data)):
        score = place / last if each.wrong is None else 1 - each.wrong
        predicted = each.given if each.suggested is None else each.suggested
        rows.append((each.image, round(score, 4), each.given, predicted))
        issues.append(each.wrong is not None and each.wrong > LIKELY)
    if not audited.judgement.counts:
        return header, rows
    with_issues = [(row[0], issue, *row[1:]) for row, issue in zip(rows, issues, strict=True)]
    return ("image", "is_label_issue", *header[1:]), with_issues


def _export_label_studio(audited: Audited, data: Data, path: Path) -> list[Path]:
    """Write tasks, and next to them the labeling interface that they need. Raises NoAudit."""
    interface = path.with_suffix(".xml")
    if interface.exists():
        raise NoAudit(f"--export {path}: {interface} exists already; name another file")
    seeds = " ".join(map(str, audited.seeds))
    version = f"{audited.trial['arm']}, seeds {seeds}"
    tasks = []
    for each in judged(audited, data):
        about: dict[str, Any] = {
            "image": _address(data, each.row),
            "key": each.image,
            "given": each.given,
        }
        if each.wrong is not None:
            about["wrong"] = each.wrong
        tasks.append({"data": about, "predictions": _predictions(each, version)})
    path.write_text(json.dumps(tasks, indent=1, ensure_ascii=False), encoding="utf-8")
    names = data.labels(audited.given.index).classes
    choices = "\n".join(f"    <Choice value={quoteattr(name)}/>" for name in names)
    interface.write_text(
        '<View>\n  <Image name="image" value="$image"/>\n'
        '  <Text name="given" value="given: $given"/>\n'
        f'  <Choices name="label" toName="image" choice="single">\n{choices}\n  </Choices>\n'
        "</View>\n",
        encoding="utf-8",
    )
    return [path, interface]


def _predictions(each: Judged, version: str) -> list[dict[str, Any]]:
    """Return the suggestion as Label Studio's prediction; none where there is no suggestion."""
    if each.suggested is None:
        return []
    choice = {
        "from_name": "label",
        "to_name": "image",
        "type": "choices",
        "value": {"choices": [each.suggested]},
    }
    prediction: dict[str, Any] = {"model_version": version, "result": [choice]}
    if each.wrong is not None and each.confidence is not None:
        score = each.confidence if each.suggested != each.given else 1 - each.wrong
        prediction["score"] = round(score, 4)
    return [prediction]


def _address(data: Data, row: int) -> str:
    """Return an image's address in Label Studio: in its local storage, or the image itself."""
    images = data.arrays.train.images
    if isinstance(images, Files):
        return f"/data/local-files/?d={quote(data.image(row))}"
    return address_of(data.arrays.train, row)
