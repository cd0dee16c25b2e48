"""Audits written for other tools, and decisions made in them, on real, tiny trials."""

import csv
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from tests.orchestrator.audit.studies import ARRAYS, FOLDER, finished, write_folder, write_npz

pytestmark = pytest.mark.usefixtures("able_networks")


def judged_images(root: Path) -> list[str]:
    """The images of the audit's own list; one may be in the validation set of every trial."""
    command = ["audit", str(root)]
    done = CliRunner().invoke(app.app, command, catch_exceptions=False)
    assert done.exit_code == 0
    with (root / "audit/baseline/labels.csv").open(newline="") as file:
        return [line["file"] for line in csv.DictReader(file)]


@pytest.fixture
def root() -> Path:
    write_folder(10)
    return finished(FOLDER)


def decisions(root: Path) -> dict[str, tuple[str, str]]:
    """Image → reviewer and label, with text as it was before it was made safe for spreadsheets."""
    with (root / "audit/decisions.csv").open(newline="") as file:
        return {
            line["image"]: (line["reviewer"], line["label"].removeprefix("'"))
            for line in csv.DictReader(file)
        }


def test_label_studio_gets_tasks_and_gives_annotations_back(root, command):
    code, out, err = command("audit", root, "--export", "label-studio", "tasks.json")
    assert code == 0, err
    assert out.split() == ["tasks.json", "tasks.xml"]
    tasks = json.loads(Path("tasks.json").read_text())
    assert len(tasks) == len(list(judged_images(root)))
    first = tasks[0]
    assert (Path("images") / first["data"]["key"]).is_file()
    assert first["data"]["image"].startswith("/data/local-files/?d=train/")
    choices = [element.get("value") for element in ElementTree.parse("tasks.xml").iter("Choice")]
    assert choices == ["1", "=owl()", "crow"]
    prediction = first["predictions"][0]
    assert prediction["result"][0]["value"]["choices"][0] in choices
    assert 0 <= prediction["score"] <= 1

    people = [1, {"id": 2, "email": "bo@example.org"}, None]
    for task, person in zip(tasks, people, strict=False):
        result = [{"from_name": "label", "type": "choices", "value": {"choices": ["=owl()"]}}]
        task["annotations"] = [{"completed_by": person, "result": result}]
    tasks[3]["annotations"] = [{"was_cancelled": True, "result": []}]
    Path("export.json").write_text(json.dumps(tasks))
    code, out, err = command("audit", root, "--import", "label-studio", "export.json")
    assert code == 0, err
    assert "3 new of 3 decisions" in out
    keys = [task["data"]["key"] for task in tasks[:3]]
    names = ["annotator 1", "bo@example.org", "label-studio"]
    assert decisions(root) == {key: (name, "=owl()") for key, name in zip(keys, names, strict=True)}
    code, out, _ = command("audit", root, "--import", "label-studio", "export.json")
    assert code == 0
    assert "0 new of 3 decisions" in out, "reading it twice changes nothing"


@pytest.mark.parametrize(
    ("kind", "image", "label"),
    [("huggingface", "file_name", "label"), ("cleanlab", "image", "given_label")],
)
def test_labels_that_were_changed_in_a_table_are_decisions(root, command, kind, image, label):
    code, _, err = command("audit", root, "--export", kind, "table.csv")
    assert code == 0, err
    with Path("table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row[image] for row in rows] == list(judged_images(root))
    assert {row[label] for row in rows} == {"1", "'=owl()", "crow"}, "no spreadsheet runs it"
    if kind == "cleanlab":
        assert {row["is_label_issue"] for row in rows} <= {"True", "False"}
        assert float(rows[0]["label_score"]) <= float(rows[-1]["label_score"])
    changed = {}
    for row in rows[:4]:
        row[label] = "crow" if row[label] != "crow" else "1"
        changed[row[image]] = (kind, row[label])
    with Path("edited.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    code, out, err = command("audit", root, "--import", kind, "edited.csv")
    assert code == 0, err
    assert "4 new of 4 decisions" in out
    assert decisions(root) == changed


def test_arrays_are_in_the_tasks_themselves(command):
    write_npz(10)
    root = finished(ARRAYS)
    code, _, err = command("audit", root, "--export", "label-studio", "tasks.json")
    assert code == 0, err
    task = json.loads(Path("tasks.json").read_text())[0]
    assert task["data"]["image"].startswith("data:image/png;base64,")
    assert task["data"]["key"].isdecimal()


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("label-studio", "{}", "is no file of label-studio"),
        ("label-studio", "[{", "is no file of label-studio"),
        ("label-studio", '[{"annotations": [{"result": 3}]}]', "is no file of label-studio"),
        ("label-studio", '["a"]', "is no file of label-studio"),
        ("label-studio", '[{"annotations": [1]}]', "is no file of label-studio"),
        ("huggingface", "file_name,label\na\n", "is no file of huggingface"),
        ("huggingface", "name,label\na,b\n", "is no file of huggingface"),
        ("huggingface", "file_name,label\nx.png,crow\n", "decision 1: image x.png is not in"),
        ("cleanlab", "image,given_label\nx.png,crow\n", "decision 1: image x.png is not in"),
        ("fiftyone", "", "it is one of label-studio, huggingface, cleanlab"),
    ],
)
def test_another_file_is_refused_and_nothing_of_it_is_used(root, command, kind, content, message):
    Path("file").write_text(content)
    code, _, err = command("audit", root, "--import", kind, "file")
    assert code == 2
    assert message in err
    assert not (root / "audit/decisions.csv").exists()


def test_two_answers_of_one_person_are_named_and_none_is_used(root, command):
    command("audit", root, "--export", "huggingface", "table.csv")
    with Path("table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    first = {"file_name": rows[0]["file_name"]}
    given = rows[0]["label"]
    others = [name for name in ("1", "'=owl()", "crow") if name != given]
    with Path("edited.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["file_name", "label"])
        writer.writeheader()
        writer.writerows({**first, "label": name} for name in others)
    code, _, err = command("audit", root, "--import", "huggingface", "edited.csv")
    assert code == 2
    assert "decision 2: huggingface decided differently about" in err
    assert not (root / "audit/decisions.csv").exists()
    assert "exists already" in command("audit", root, "--export", "cleanlab", "table.csv")[2]


def test_a_file_where_the_interface_would_be_is_kept(root, command):
    Path("tasks.xml").write_text("mine")
    code, _, err = command("audit", root, "--export", "label-studio", "tasks.json")
    assert code == 2
    assert "tasks.xml exists already" in err
    assert Path("tasks.xml").read_text() == "mine"
    assert not Path("tasks.json").exists()


@pytest.mark.parametrize("kind", ["label-studio", "huggingface", "cleanlab"])
def test_what_an_audit_cannot_support_is_not_exported(root, command, monkeypatch, kind):
    monkeypatch.setattr("analysis.audit.witnesses.COUNTS", 2.0)
    monkeypatch.setattr("analysis.audit.witnesses.SUGGESTIONS", 2.0)
    code, _, err = command("audit", root, "--export", kind, "exported")
    assert code == 0, err
    if kind == "label-studio":
        tasks = json.loads(Path("exported").read_text())
        assert all(task["predictions"] == [] for task in tasks)
        assert all("wrong" not in task["data"] for task in tasks)
        return
    with Path("exported").open(newline="") as file:
        lines = list(csv.DictReader(file))
    if kind == "huggingface":
        assert {line["suggested_label"] + line["label_error_probability"] for line in lines} == {""}
    else:
        assert "is_label_issue" not in lines[0]
        scores = [float(line["label_score"]) for line in lines]
        assert scores == sorted(scores)
        assert (scores[0], scores[-1]) == (0, 1)
