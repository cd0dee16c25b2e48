"""Study files, results folders and bundles from somebody who means harm: nothing is run, nothing written elsewhere."""

import hashlib
import io
import json
import pickle
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch

from analysis.results.read import read_results
from analysis.results.study_plan import NoStudy
from analysis.stats import search
from orchestrator.cli import app
from tests.analysis.material import write_study
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.storage.trial_folder import TrialFolder
from trainable.trial.session import Session
from trainable.trial.trial import Trial

STUDY = "name: tiny\nseeds: [0]\nbase: {train: {epochs: 3}, method: {warmup_epochs: 1}}\n"
TINY = TrialConfig.model_validate(
    {
        "model": {"name": "small_cnn", "width": 4},
        "train": {"epochs": 2, "batch_size": 256},
        "method": {"name": "cross_entropy"},
    }
)
OUTSIDE = ["../outside", "..", "/outside", "a/b", ".hidden", "a\\b", "~root", "$HOME"]


class Harm:
    """Unpickling it makes a file."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
        return Path.touch, (self.marker,)


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, two levels below the one that is watched."""
    place = tmp_path / "some" / "place"
    place.mkdir(parents=True)
    monkeypatch.chdir(place)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    return place


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "was-run"


def main(*arguments: object) -> int:
    before, sys.argv = sys.argv, ["orchestrator", *map(str, arguments)]
    try:
        app.main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.argv = before
    return 0


def files(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def write_results(root: Path, **changes: object) -> TrialFolder:
    """A study with one finished trial; `changes` replace fields of its plan."""
    write_study(root, {}, seeds=1, epochs=4, samples=50)
    plan = json.loads((root / "trials.json").read_text())
    plan["trials"][0] |= changes
    (root / "trials.json").write_text(json.dumps(plan))
    return TrialFolder(root / "runs" / "baseline" / "seed=0")


# --- study files ---


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("place", ["name", "arms", "settings"])
def test_a_name_that_is_a_path_is_a_mistake_of_the_study(name, place, tmp_path, capsys):
    named = json.dumps(name)
    text = (
        STUDY.replace("tiny", named)
        if place == "name"
        else f"{STUDY}{place}:\n  {named}: {{train.lr: 0.5}}\n"
    )
    Path("bad.yaml").write_text(text)
    before = files(tmp_path)
    assert main("run", "bad.yaml") == 2
    assert "cannot be a name" in capsys.readouterr().err
    assert files(tmp_path) == before


def test_a_tag_in_a_study_or_in_set_is_not_followed(marker, capsys):
    tag = f"!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{marker}']]"
    Path("bad.yaml").write_text(f"{STUDY}arms: {{a: {{train.lr: {tag}}}}}\n")
    Path("good.yaml").write_text(STUDY)
    assert main("plan", "bad.yaml") == 2
    assert main("plan", "good.yaml", "--set", f"base.train.lr={tag}") == 2
    assert not marker.exists()
    assert "Traceback" not in capsys.readouterr().err


# --- results folders ---


def test_a_pickle_with_a_right_checksum_in_place_of_a_checkpoint_is_not_read(tmp_path, marker):
    folder = TrialFolder(tmp_path / "trial")
    content = io.BytesIO()
    torch.save({"epoch": 1, "networks": Harm(marker)}, content)
    state = content.getvalue()
    checksum = hashlib.sha256(state).hexdigest().encode()
    folder.path.mkdir()
    (folder.path / "checkpoint.pt").write_bytes(
        b"dividemix-checkpoint sha256 " + checksum + b"\n" + state
    )
    session = Session(TINY, folder.path, Machine(device="cpu"))
    while not session.finished:
        session.advance()
    session.close()
    assert not marker.exists()
    assert (
        "more than tensors and plain values: it is not used"
        in (folder.path / "train.log").read_text()
    )
    rows = [
        {**row, **dict.fromkeys(filter(lambda name: name.startswith("time/"), row), 0)}
        for row in folder.rows()
    ]
    fresh = [
        {**row, **dict.fromkeys(filter(lambda name: name.startswith("time/"), row), 0)}
        for row in _trained()
    ]
    assert rows == fresh


def _trained() -> list[dict]:
    return [json.loads(json.dumps(row)) for row in Trial(TINY, Machine(device="cpu"))]


@pytest.mark.parametrize(
    "name",
    [
        "trials.json",
        "study.lock",
        "runs/baseline/seed=0/trial.json",
        "runs/baseline/seed=0/summary.json",
        "runs/baseline/seed=0/metrics.jsonl",
        "runs/baseline/seed=0/samples.npz",
    ],
)
def test_a_pickle_in_place_of_any_file_of_the_results_is_not_read(
    workplace, marker, name, capsys, monkeypatch
):
    monkeypatch.setattr("analysis.report.write._pictures", lambda *arguments: [])
    root = workplace / "tiny"
    write_results(root)
    if name.endswith(".npz"):
        with (root / name).open("wb") as file:
            np.savez(file, given=np.array([Harm(marker)], dtype=object), allow_pickle=True)
    else:
        (root / name).write_bytes(pickle.dumps(Harm(marker)))
    for command in (["status", root], ["report", root], ["bundle", root, "out.tar.xz"]):
        assert main(*command) in (0, 2)
    assert not marker.exists()
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "change",
    [{"arm": "../../../outside"}, {"setting": "../.."}, {"arm": "/outside"}, {"seed": "../0"}],
)
@pytest.mark.parametrize("command", ["status", "report", "verify", "bundle"])
def test_a_plan_that_leads_elsewhere_is_refused(workplace, tmp_path, command, change, capsys):
    root = workplace / "tiny"
    write_results(root, **change)
    before = files(tmp_path)
    assert main(command, root, *(["out.tar.xz"] if command == "bundle" else [])) == 2
    assert "trials.json" in capsys.readouterr().err
    assert files(tmp_path) == before


def test_a_folder_of_a_plan_that_leads_elsewhere_is_refused_by_the_report(workplace):
    write_results(workplace / "tiny", folder="../../outside")
    with pytest.raises(NoStudy, match="is not a trial folder"):
        read_results(workplace / "tiny")


@pytest.mark.parametrize("name", ["../../../outside", "/outside", ".."])
def test_a_search_whose_name_is_a_path_is_refused(workplace, name):
    from orchestrator.search.journal import write

    optuna.create_study(study_name=name, storage=write(workplace / "search.journal", print))
    with pytest.raises(NoStudy, match="cannot be the name of a search"):
        search.read(workplace)


@pytest.mark.parametrize("command", ["verify", "reproduce", "audit"])
@pytest.mark.parametrize("section", ["method", "model"])
@pytest.mark.parametrize("carried", [True, False])
def test_code_that_came_with_results_is_not_run_unasked(
    workplace, marker, command, section, carried, capsys
):
    """Neither code that trial.json carries, nor a file of code that it only names."""
    trial = write_results(workplace / "tiny")
    code = f"open({str(marker)!r}, 'w')"
    (workplace / "mine.py").write_text(code)
    about = trial.trial or {}
    about["config"] = TINY.model_dump()
    about["config"][section] = {"name": f"{workplace}/mine.py:Mine", "networks": 2}
    if carried:
        about["config"][section]["source"] = code
    (trial.path / "trial.json").write_text(json.dumps(about))
    assert main(command, trial.path if command == "reproduce" else workplace / "tiny") in (1, 2)
    output = capsys.readouterr()
    if command != "audit":  # it needs the data only
        assert "read it, then add --own-code" in output.out + output.err
    assert not marker.exists()


# --- bundles ---


def test_a_bundle_with_a_name_that_leads_elsewhere_is_not_unpacked(
    workplace, tmp_path, monkeypatch, capsys
):
    from analysis.__main__ import main as analysis

    with tarfile.open("bad.tar.xz", "w:xz") as file:
        for name in ("study.yaml", "../outside.json"):
            file.addfile(tarfile.TarInfo(name))
    before = files(tmp_path)
    monkeypatch.setattr(sys, "argv", ["analysis", "unpack", "bad.tar.xz", "copy"])
    assert analysis() == 2
    assert "nothing was unpacked" in capsys.readouterr().err
    assert files(tmp_path) == before
