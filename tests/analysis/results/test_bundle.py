"""Bundles: what is in them, that a report of one is the report of the study, and what is never unpacked."""

import ast
import io
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from analysis.report.write import write_report
from analysis.results.bundle import NotABundle, pack, unpack
from analysis.results.read import read_results
from tests.analysis.material import write_study

ROOT = Path(__file__).parents[3]
BLOCKED = """
import sys

class Absent:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "torchvision", "ray", "pydantic", "typer", "rich"}:
            raise ImportError(name)

sys.meta_path.insert(0, Absent)
from analysis.__main__ import main
sys.exit(main())
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Results with what a bundle leaves out: weights, a checkpoint, an owner, events, a report, an archive."""
    root = tmp_path / "study"
    write_study(
        root, {"no_mixup": "arms", "lambda_u=0": "method.lambda_u"}, seeds=3, epochs=4, samples=200
    )
    trial = next(root.rglob("seed=0"))
    for name in (
        "model.pt",
        "checkpoint.pt",
        "owner.json",
        "events.out.tfevents.1.host",
        "train.log",
    ):
        (trial / name).write_bytes(b"x")
    (root / "report").mkdir(exist_ok=True)
    (root / "report" / "index.html").write_text("old")
    (root / "looks.jsonl").write_text("of a study that adds seeds")
    return root


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_checks_of_test_labels_are_in_a_bundle_without_the_names_of_reviewers(study, tmp_path):
    folder = study / "audit" / "test" / "ab12"
    folder.mkdir(parents=True)
    (folder / "draw.json").write_text("{}")
    lines = ["time,reviewer,data,image,decision,label"]
    lines += [f"now,{name},d,{k},label,crow" for k, name in enumerate(("Ann", "Bo", "Ann"))]
    (folder / "decisions.csv").write_text("\n".join(lines) + "\n")
    (study / "audit" / "decisions.csv").write_text("of training images\n")
    pack(study, tmp_path / "out.tar.xz")
    unpack(tmp_path / "out.tar.xz", tmp_path / "copy")
    assert not (tmp_path / "copy/audit/decisions.csv").exists()
    assert (tmp_path / "copy/audit/test/ab12/draw.json").read_text() == "{}"
    text = (tmp_path / "copy/audit/test/ab12/decisions.csv").read_text()
    assert text.replace("reviewer 1", "Ann").replace("reviewer 2", "Bo").splitlines() == lines
    assert "Ann" not in text


def test_a_bundle_has_what_reports_read_and_unpacks_to_the_same_bytes(study, tmp_path):
    files = pack(study, tmp_path / "out.tar.xz")
    assert unpack(tmp_path / "out.tar.xz", tmp_path / "copy") == files
    before, after = content(study), content(tmp_path / "copy")
    assert after == {name: before[name] for name in after}
    left = {re.sub(r".*/", "", name) for name in before.keys() - after.keys()}
    assert left == {
        "model.pt",
        "checkpoint.pt",
        "owner.json",
        "events.out.tfevents.1.host",
        "train.log",
        "index.html",
    }


def test_a_bundle_without_samples_holds_the_same_finished_trials(study, tmp_path):
    files = pack(study, tmp_path / "whole.tar.xz")
    trials = len(list(study.rglob("samples.npz")))
    assert pack(study, tmp_path / "out.tar.xz", samples=False) == files - trials
    unpack(tmp_path / "out.tar.xz", tmp_path / "copy")
    assert not list((tmp_path / "copy").rglob("samples.npz"))
    before, after = read_results(study), read_results(tmp_path / "copy")
    assert len(before.done) == trials
    pd.testing.assert_frame_equal(after.done, before.done)
    assert write_report(tmp_path / "copy")


def test_equal_results_make_equal_bundles(study, tmp_path):
    for name in ("a.tar.xz", "b.tar.xz"):
        pack(study, tmp_path / name)
    assert (tmp_path / "a.tar.xz").read_bytes() == (tmp_path / "b.tar.xz").read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        "../outside.json",
        "/tmp/outside.json",
        "runs/../../outside/seed=0/trial.json",
        "runs/arm/seed=0/model.pt",
        "runs/arm/seed=0/../../../trials.json",
        "runs\\arm\\seed=0\\trial.json",
        "study.yaml\n",
    ],
)
def test_a_bundle_with_another_name_in_it_is_not_unpacked_at_all(tmp_path, name):
    write_tar(tmp_path / "bad.tar.xz", tarfile.TarInfo("study.yaml"), tarfile.TarInfo(name))
    before = content(tmp_path)
    with pytest.raises(NotABundle, match="nothing was unpacked"):
        unpack(tmp_path / "bad.tar.xz", tmp_path / "deep" / "copy")
    assert content(tmp_path) == before


def write_tar(file: Path, *entries: tarfile.TarInfo) -> None:
    """Write an archive with entries of two bytes."""
    with tarfile.open(file, "w:xz") as archive:
        for entry in entries:
            entry.size = 2 if entry.isreg() else 0
            archive.addfile(entry, io.BytesIO(b"xy"))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_a_link_or_a_pipe_under_a_good_name_is_not_unpacked(tmp_path, kind):
    entry = tarfile.TarInfo("study.yaml")
    entry.type = kind
    entry.linkname = "/etc/passwd"
    write_tar(tmp_path / "link.tar.xz", entry)
    with pytest.raises(NotABundle, match="nothing was unpacked"):
        unpack(tmp_path / "link.tar.xz", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_bundle_of_an_earlier_version_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as file:
        file.writestr("study.yaml", "name: x")
    with pytest.raises(NotABundle, match="unzip it"):
        unpack(tmp_path / "old.zip", tmp_path / "copy")


def test_what_does_not_fit_on_the_disk_is_not_begun(study, tmp_path, monkeypatch):
    pack(study, tmp_path / "out.tar.xz")
    monkeypatch.setattr("shutil.disk_usage", lambda place: type("Usage", (), {"free": 10}))
    with pytest.raises(NotABundle, match="MB are free"):
        unpack(tmp_path / "out.tar.xz", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_no_bundle_a_cut_one_and_a_folder_that_is_there_are_sentences(study, tmp_path, command):
    pack(study, tmp_path / "out.tar.xz")
    whole = (tmp_path / "out.tar.xz").read_bytes()
    (tmp_path / "cut.tar.xz").write_bytes(whole[:-100])
    (tmp_path / "damaged.tar.xz").write_bytes(whole[:300] + bytes(200) + whole[500:])
    for file, folder, words in (
        ("cut.tar.xz", "new", "complete bundle"),
        ("damaged.tar.xz", "new", "complete bundle"),
        ("out.tar.xz", "study", "new folder"),
        ("absent.tar.xz", "new", "No such file"),
    ):
        code, _, err = command("unpack", tmp_path / file, tmp_path / folder)
        assert (code, words in err) == (2, True), err
        assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_a_bundle_reports_the_same_without_torch_ray_and_what_the_orchestrator_needs(
    study, tmp_path
):
    pack(study, tmp_path / "out.tar.xz")
    unpack(tmp_path / "out.tar.xz", tmp_path / "copy")
    subprocess.run([sys.executable, "-m", "analysis", "report", study], check=True, cwd=ROOT)
    subprocess.run(
        [sys.executable, "-c", BLOCKED, "report", tmp_path / "copy"], check=True, cwd=ROOT
    )
    tables = content(study / "report" / "tables")
    assert tables
    assert content(tmp_path / "copy" / "report" / "tables") == tables
    assert (tmp_path / "copy" / "report" / "report.md").read_bytes() == (
        study / "report" / "report.md"
    ).read_bytes()


def test_the_report_group_names_every_package_that_the_analysis_imports():
    modules = {"sklearn": "scikit-learn"}
    imported = set()
    for file in [
        *(ROOT / "analysis").rglob("*.py"),
        *(ROOT / "trainable" / "storage").glob("*.py"),
    ]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            imported |= {name.partition(".")[0] for name in names}
    imported -= sys.stdlib_module_names | {"analysis", "trainable"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    named = {re.split("[>=<]", text)[0] for text in project["dependency-groups"]["report"]}
    assert {modules.get(name, name) for name in imported} <= named
    assert not named & {"torch", "torchvision", "ray"}
    assert set(project["dependency-groups"]["report"]) <= set(project["project"]["dependencies"])
