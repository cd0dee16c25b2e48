"""Audits for other tools, and decisions made in them: Label Studio, Hugging Face, cleanlab.

`label-studio`: JSON tasks with the suggested label as a prediction; its JSON export is read back.
`huggingface`: the table `metadata.csv` of an image folder; a changed `label` is a decision.
`cleanlab`: the columns of Datalab's label issues; a changed `given_label` is a decision.
"""

import csv
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from rich.console import Console

from analysis.audit.audit import Audited, NoAudit
from analysis.audit.decisions import BadDecisions, Decision, add
from orchestrator.audit.labels import Data
from orchestrator.audit.pictures import address_of
from orchestrator.audit.review import decisions_file, only_audit
from trainable.config.runtime import Machine
from trainable.data.images import Files
from trainable.storage.spreadsheets import escaped, unescaped

Kind = Literal["label-studio", "huggingface", "cleanlab"]
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


# --- exports ---


def export(kind: Kind, audited: Audited, data: Data, path: Path) -> list[Path]:
    """Write an audit for another tool; return the files."""
    if kind == "label-studio":
        return _export_label_studio(audited, data, path)
    header: tuple[str, ...]
    rows: list[tuple[Any, ...]] = []
    if kind == "huggingface":
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


# --- imports ---


def read_decisions(kind: Kind, path: Path, given: dict[str, str], data: str) -> list[Decision]:
    """Return the decisions that were made in another tool.

    Args:
        kind: the tool.
        path: its file.
        given: image → name of the given label.
        data: hash of the data set.

    Raises:
        BadDecisions: the file has another form. Its images and classes are not checked here.
    """
    readers: dict[Kind, Callable[[Path], Iterator[tuple[str, str, str, str]]]] = {
        "label-studio": _from_label_studio,
        "huggingface": lambda path: _from_table(path, "file_name", "label", given),
        "cleanlab": lambda path: _from_table(path, "image", "given_label", given),
    }
    try:
        found = list(readers[kind](path))
    except (OSError, csv.Error, ValueError, LookupError, TypeError, AttributeError) as error:
        raise BadDecisions(f"{path} is no file of {kind}: {error}") from None
    return [
        Decision(time, reviewer or kind, data, image, "label", label)
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


def exchange(
    root: Path,
    setting: str | None,
    arm: str,
    seed: int | None,
    machine: Machine,
    out: tuple[str, Path] | None,
    into: tuple[str, Path] | None,
    console: Console,
) -> None:
    """Write an audit for another tool, or append the decisions made in one.

    Args:
        root, setting, arm, seed: what is audited.
        machine: where its data are.
        out, into: tool and file to write, and to read.
        console: where it is said what was done.

    Raises:
        BadDecisions: the file to read has faults; none of its decisions is used.
        DataError, NoStudy, NoAudit: there is nothing to audit; the message has the reason.
    """
    audited, data = only_audit(root, setting, arm, seed, machine)
    if out is not None:
        for path in export(cast(Kind, out[0]), audited, data, out[1]):
            console.print(str(path), markup=False)
    if into is not None:
        labels = data.labels(audited.given.index)
        given = {
            data.image(row): labels.classes[number] for row, number in data.given(audited).items()
        }
        found = read_decisions(cast(Kind, into[0]), into[1], given, labels.data)
        file = decisions_file(root)
        count = add(file, found, labels, into[1])
        console.print(f"{file}: {count} new of {len(found)} decisions", markup=False)
