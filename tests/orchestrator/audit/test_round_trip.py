"""Exports opened and edited by the tools that they are for, where these are installed, and read back.

`pip install label-studio-sdk datasets cleanlab` installs them; `make test` does without.
"""

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import pytest

from tests.orchestrator.audit.studies import FOLDER, finished, write_folder

pytestmark = pytest.mark.filterwarnings("default")  # those of other packages are not ours
CLASSES = ("1", "=owl()", "crow")

pytestmark = pytest.mark.usefixtures("able_networks")


@pytest.fixture
def root() -> Path:
    write_folder(10)
    return finished(FOLDER)


def safe(name: str) -> str:
    """A name as a table has it, so that no spreadsheet runs it."""
    return f"'{name}" if name.startswith("=") else name


def another(label: str) -> str:
    return CLASSES[(CLASSES.index(label) + 1) % 3]


def decided(root: Path) -> dict[str, str]:
    """Image → label, of all decisions."""
    with (root / "audit/decisions.csv").open(newline="") as file:
        return {line["image"]: line["label"].removeprefix("'") for line in csv.DictReader(file)}


def round_trip(
    root: Path, command: Callable, kind: str, edit: Callable[[Path, Path], Mapping[str, str]]
) -> None:
    """Export, edit, import: exactly the edited labels are decisions, and then corrected labels."""
    exported, edited = Path("export"), Path("edited")
    code, _, error = command("audit", root, "--export", kind, exported)
    assert code == 0, error
    changed = edit(exported, edited)
    assert len(changed) > 5
    for count in (len(changed), 0):
        code, output, error = command("audit", root, "--import", kind, edited)
        assert code == 0, error
        assert f"{count} new of {len(changed)} decisions" in output
    assert decided(root) == changed
    code, _, error = command("audit", root, "--apply", "new.csv", "--min-confidence", "1")
    assert code == 0, error
    corrected = pd.read_csv("new.csv", dtype=str).set_index("file")["label"]
    assert {image: corrected[image].removeprefix("'") for image in changed} == changed
    rest = corrected.drop(list(changed))
    assert all(Path(image).parent.name == label.removeprefix("'") for image, label in rest.items())


def test_label_studio(root, command):
    interfaces = pytest.importorskip("label_studio_sdk.label_interface")
    converters = pytest.importorskip("label_studio_sdk.converter")

    def edit(exported: Path, edited: Path) -> dict[str, str]:
        interface = interfaces.LabelInterface(Path("export.xml").read_text())
        interface.validate()
        tasks = json.loads(exported.read_text())
        changed = {}
        Path("project").mkdir()
        for number, task in enumerate(tasks):
            assert interface.validate_task({"data": task["data"]})
            for prediction in task["predictions"]:
                assert interface.validate_prediction(prediction)
            annotation = {"result": [], "completed_by": 1, "was_cancelled": number % 3 > 0}
            if number % 3 == 0:
                label = another(task["data"]["given"])
                assert interface.get_control("label").to_name == ["image"]
                region = {"from_name": "label", "to_name": "image", "type": "choices"}
                annotation["result"] = [{**region, "value": {"choices": [label]}}]
                assert interface.validate_annotation({"result": annotation["result"]})
                changed[task["data"]["key"]] = label
            answered = {**task, "id": number, "annotations": [annotation]}
            (Path("project") / f"{number}.json").write_text(json.dumps(answered))
        converter = converters.Converter(Path("export.xml").read_text(), "project")
        converter.convert("project", "converted", converters.converter.Format.JSON)
        (written,) = Path("converted").glob("*.json")
        written.rename(edited)
        return changed

    round_trip(root, command, "label-studio", edit)


def test_hugging_face(root, command):
    datasets = pytest.importorskip("datasets")

    def edit(exported: Path, edited: Path) -> dict[str, str]:
        rows = list(csv.DictReader(exported.read_text().splitlines()))
        Path("images/metadata.csv").write_text(exported.read_text())
        # Images that no trial judged are not in the table, and the loader wants a row for each.
        files = ["images/metadata.csv", *(f"images/{row['file_name']}" for row in rows)]
        folder = datasets.load_dataset(
            "imagefolder", data_files={"train": files}, cache_dir="cache"
        )
        assert len(folder["train"]) == len(rows)
        by_file = {Path(each["image"].filename).resolve(): each for each in folder["train"]}
        for row in rows:
            opened = by_file[Path("images", row["file_name"]).resolve()]
            assert opened["label"] == row["label"]
            assert opened["label_error_probability"] == float(row["label_error_probability"])
        Path("images/metadata.csv").unlink()
        table = datasets.load_dataset("csv", data_files=str(exported), cache_dir="cache")["train"]
        changed = {row["file_name"]: another(row["label"].removeprefix("'")) for row in rows[::3]}

        def correct(row: dict) -> dict:
            new = changed.get(row["file_name"])
            return {"label": row["label"] if new is None else safe(new)}

        table.map(correct).to_csv(str(edited), index=False)
        return changed

    round_trip(root, command, "huggingface", edit)


def test_cleanlab(root, command):
    cleanlab = pytest.importorskip("cleanlab")
    pytest.importorskip("datasets", reason="Datalab needs it")

    def edit(exported: Path, edited: Path) -> dict[str, str]:
        table = pd.read_csv(exported)
        lab = cleanlab.Datalab(table.to_dict("list"), label_name="given_label", verbosity=0)
        predicted = pd.get_dummies(table["predicted_label"], dtype=float)
        shares = predicted.reindex(columns=lab.class_names, fill_value=0.0)
        lab.find_issues(pred_probs=0.9 * shares.to_numpy() + 0.1 / 3, issue_types={"label": {}})
        issues = lab.get_issues("label")
        assert set(issues.columns) == set(table.columns) - {"image"}
        assert issues["given_label"].tolist() == table["given_label"].tolist()
        assert issues["predicted_label"].tolist() == table["predicted_label"].tolist()
        changed = {}
        for place in range(0, len(table), 3):
            label = another(table.loc[place, "given_label"].removeprefix("'"))
            changed[table.loc[place, "image"]] = label
            table.loc[place, "given_label"] = safe(label)
        table.to_csv(edited, index=False)
        return changed

    round_trip(root, command, "cleanlab", edit)
