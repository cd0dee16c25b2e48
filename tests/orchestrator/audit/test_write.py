"""`audit` on real, tiny trials: what it writes, that corrected labels are read back, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from orchestrator.audit.pictures import thumbnail
from orchestrator.cli import app
from orchestrator.exit_codes import Ended
from orchestrator.study.load import load_study
from tests.orchestrator.audit.studies import (
    ARRAYS,
    FOLDER,
    STUDY,
    finished,
    write_folder,
    write_npz,
)
from trainable.config.data import ImageFolder, Npz
from trainable.config.runtime import Machine
from trainable.data.noise_files import read_labels
from trainable.data.registry import load
from trainable.storage.spreadsheets import unescaped
from trainable.storage.trial_folder import TrialFolder
from trainable.trial.trial import Trial

pytestmark = pytest.mark.usefixtures("able_networks")


def audit(*options: str | Path) -> str:
    """What `audit` prints."""
    done = CliRunner().invoke(app.app, ["audit", *map(str, options)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def refused(*options: str | Path) -> str:
    """The sentence that `audit` ends with, at exit code 2."""
    with pytest.raises(Ended) as caught:
        CliRunner().invoke(app.app, ["audit", *map(str, options)], catch_exceptions=False)
    assert caught.value.code == 2
    return str(caught.value)


def test_an_audited_folder_is_listed_by_file_and_its_corrections_are_trained_on():
    write_folder()
    root = finished(FOLDER)
    output = audit(root, "--apply", "corrected.csv", "--min-confidence", "0")
    folder = root / "audit" / "baseline"
    names = [
        "calibration.csv",
        "classes.csv",
        "figures.csv",
        "labels.csv",
        "sheet.html",
        "suggestions.csv",
        "transition.csv",
    ]
    assert sorted(path.name for path in folder.iterdir()) == names
    table = pd.read_csv(folder / "labels.csv", dtype={"given": str, "suggested": str})
    assert table.columns[0] == "file"
    assert set(table["given"]) == {"crow", "'=owl()", "1"}, "no spreadsheet runs it"
    assert "=owl()" in (folder / "sheet.html").read_text()
    assert "'=owl()" not in (folder / "sheet.html").read_text()
    assert pd.read_csv(folder / "transition.csv").columns.tolist() == [
        "true",
        "1",
        "'=owl()",
        "crow",
    ]
    assert all((Path("images") / file).is_file() for file in table["file"])
    assert table["wrong"].is_monotonic_decreasing
    assert (folder / "sheet.html").read_text().count("data:image/png;base64,") == len(table)

    config = ImageFolder.model_validate({"path": "images"})
    arrays = load(config, Machine())
    labels = read_labels(Path("corrected.csv"), arrays.train, arrays.classes, arrays.class_names)
    changed = table[table["given"] != table["suggested"]]
    assert len(changed)
    assert f"corrected.csv: {len(changed)} of 90 labels changed" in output
    rows = {name.decode(): row for row, name in enumerate(arrays.train.names)}
    expected = arrays.train.labels.copy()
    expected[[rows[file] for file in changed["file"]]] = [
        arrays.class_names.index(unescaped(c)) for c in changed["suggested"]
    ]
    assert labels.tolist() == expected.tolist()

    again = Path("again.yaml")
    again.write_text(
        STUDY.replace("DATA", FOLDER).replace("NOISE", "{name: file, path: corrected.csv}")
    )
    trial = Trial(load_study(again).trials[0].config, Machine())
    assert trial.data.train.given.tolist() == expected[trial.data.train.source_index].tolist()
    assert next(trial)["epoch"] == 1


def test_an_audited_array_is_listed_by_row_and_measured_against_the_truth():
    write_npz()
    root = finished(ARRAYS)
    output = audit(root, "--apply", "corrected.csv", "--min-confidence", "1")
    assert "AUC" in output
    table = pd.read_csv(root / "audit" / "baseline" / "labels.csv")
    assert table.columns.tolist() == [
        "index",
        "given",
        "suggested",
        "wrong",
        "confidence",
        "trials",
        "true",
    ]
    assert ((table["given"] != table["true"]) == (table["index"] % 30 < 2)).all()
    figures = pd.read_csv(root / "audit" / "baseline" / "figures.csv")
    assert figures["wrong"].tolist() == [(table["given"] != table["true"]).sum()]
    arrays = load(Npz(path="images.npz"), Machine())
    labels = read_labels(Path("corrected.csv"), arrays.train, arrays.classes)
    assert labels.tolist() == arrays.train.given.tolist(), "no suggestion is certain"


def test_where_noise_was_injected_each_seed_has_a_list_and_corrections_need_one():
    write_npz()
    root = finished(ARRAYS, "{name: symmetric, rate: 0.3}")
    output = audit(root)
    assert [line.split()[0] for line in output.splitlines()[1:4]] == ["0", "1", "mean"]
    folder = root / "audit" / "baseline"
    assert {path.name for path in folder.glob("labels*")} == {
        "labels_seed=0.csv",
        "labels_seed=1.csv",
    }
    assert "--seed" in refused(root, "--apply", "corrected.csv")
    assert not Path("corrected.csv").exists()
    audit(root, "--seed", "1", "--apply", "corrected.csv", "--min-confidence", "1")
    about = TrialFolder(root / "runs/baseline/seed=1")
    with np.load(about.path / "samples.npz") as samples:
        given = dict(zip(samples["source_index"].tolist(), samples["given"].tolist(), strict=True))
    corrected = pd.read_csv("corrected.csv")
    assert dict(zip(corrected["index"], corrected["label"], strict=True)) == given, (
        "held-out samples too"
    )


def test_what_is_wrong_is_said_in_a_sentence():
    write_npz()
    root = finished(ARRAYS)
    Path("there.csv").write_text("mine")
    assert (
        refused(root, "--apply", "there.csv")
        == "there.csv exists already; name another with --apply"
    )
    assert (
        refused("nowhere")
        == "nowhere contains no study results (there is no readable trials.json in it)"
    )
    assert "--arm other: the study has baseline" in refused(root, "--arm", "other")
    write_npz(per_class=31)
    assert "have changed since" in refused(root)
    Path("images.npz").unlink()
    assert "--study-dir" in refused(root)
    done = CliRunner().invoke(app.app, ["audit", str(root), "--min-confidence", "2"])
    assert done.exit_code == 2
    assert "--min-confidence" in done.output


def test_large_images_become_small_and_tiny_ones_stay_as_they_are():
    tiny, large = (
        thumbnail(np.zeros((8, 8, 1), np.uint8)),
        thumbnail(np.zeros((300, 200, 3), np.uint8)),
    )
    assert tiny.startswith("data:image/png;base64,")
    assert large.startswith("data:image/jpeg;base64,")
    assert len(large) < 2000


def test_of_poor_networks_nothing_is_claimed_and_no_suggestion_is_taken(monkeypatch):
    write_npz()
    root = finished(ARRAYS)
    audit(root)
    folder = root / "audit" / "baseline"
    assert folder.joinpath("classes.csv").exists()
    monkeypatch.setattr("analysis.audit.witnesses.COUNTS", 2.0)
    monkeypatch.setattr("analysis.audit.witnesses.SUGGESTIONS", 2.0)
    output = audit(root, "--apply", "corrected.csv", "--min-confidence", "0")
    assert "How many labels are wrong, and how probably each is, cannot be said." in output
    assert "The labels are ordered by their margins over all epochs of `baseline`." in output
    assert "corrected.csv: 0 of 90 labels changed" in output
    assert "no suggestion was taken" in output
    columns = pd.read_csv(folder / "labels.csv").columns
    assert columns.tolist() == ["index", "given", "trials", "true"]
    assert not folder.joinpath("classes.csv").exists(), "of the audit before"
    sheet = folder.joinpath("sheet.html").read_text()
    assert "→" not in sheet
    assert "No other labels are suggested." in sheet


def test_an_audit_as_json_is_one_document():
    write_npz()
    root = finished(ARRAYS)
    found = json.loads(audit(root, "--json"))
    [audited] = found["audits"]
    assert (audited["setting"], audited["arm"]) == (None, "baseline")
    assert audited["samples"] > 0
    assert 0 <= audited["wrong"] <= audited["samples"]
    assert len(audited["sentences"]) > 0
    assert Path(audited["sheet"]).is_file()
    assert Path(found["page"]).is_file()
    sentence = refused(root, "--json", "--apply", "corrected.npz")
    assert sentence == "--json prints an audit alone: leave out the other actions"
