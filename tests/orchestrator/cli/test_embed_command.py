"""`embed` on the command line: what it prints and refuses."""

import shutil

import numpy as np
import pytest

from orchestrator.cli.app import main
from tests.trainable.trees import write_tree
from trainable.embedding.feature_file import Shards
from trainable.errors import DataError


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run the command in an empty folder; return its exit code and all that it printed."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr("sys.argv", ["orchestrator", "embed", *words])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        return end.value.code or 0, printed.out + printed.err

    return run


def test_a_folder_of_images_becomes_a_file_of_features(call, tmp_path):
    write_tree(tmp_path / "birds", train=5, test=3)
    code, said = call("birds", "--model", "pca", "--out", "birds.npz")
    assert code == 0, said
    assert "birds.npz: 16 rows of 10 features" in said
    with np.load("birds.npz") as content:
        assert sorted(content) == ["classes", "features", "labels", "paths", "split"]
        assert content["features"].shape == (16, 10)


def test_features_may_be_written_into_the_folder_of_images(call, tmp_path, monkeypatch):
    write_tree(tmp_path / "birds", train=5)
    for entry in (tmp_path / "birds/train").iterdir():
        entry.rename(tmp_path / "birds" / entry.name)
    (tmp_path / "birds/train").rmdir()
    shutil.rmtree(tmp_path / "birds/test")
    words = ["birds", "--model", "pca", "--out", "birds/features.npz"]

    def interrupted(*arguments):
        raise DataError("interrupted")

    with monkeypatch.context() as context:
        context.setattr(Shards, "join", interrupted)
        assert "interrupted" in call(*words)[1]
    code, said = call(*words)
    assert code == 0, said
    assert "10 rows of 10 features, 10 of them by an earlier call" in said


def test_damaged_images_are_left_out_on_request_and_named(call, tmp_path):
    write_tree(tmp_path / "birds", train=5, test=3)
    broken = sorted((tmp_path / "birds/train").rglob("*.png"))[0]
    broken.write_bytes(broken.read_bytes()[:60])
    words = ["birds", "--model", "pca", "--out", "birds.npz"]
    code, said = call(*words)
    assert code == 2
    assert broken.name in said
    code, said = call(*words[:-1], "others.npz", "--skip-unreadable")
    assert code == 0, said
    assert "15 rows" in said
    name = broken.relative_to(tmp_path / "birds").as_posix()
    assert f"1 files are left out, because they are not valid images: {name}" in " ".join(
        said.split()
    )
    code, said = call("digits", *words[1:-1], "digits.npz", "--skip-unreadable")
    assert code == 2
    assert "--skip-unreadable is for folders of images; digits is none" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere", "--model", "pca", "--out", "f.npz"], "nowhere does not exist"),
        (["digits", "--model", "pca", "--out", "f.npy"], "name it f.npz"),
        (["digits", "--model", "pca", "--out", "no/f.npz"], "the folder no does not exist"),
        (["digits", "--model", "vgg", "--out", "f.npz"], "--model vgg: expected random, pca"),
        (
            ["digits", "--model", "torchvision:resnet18", "--out", "f.npz"],
            "needs --weights FILE",
        ),
    ],
)
def test_wrong_calls_end_with_a_sentence(call, words, said):
    code, printed = call(*words)
    assert code == 2
    assert said in printed
    assert "Traceback" not in printed


def test_an_existing_file_is_kept(call, tmp_path):
    (tmp_path / "f.npz").write_bytes(b"mine")
    code, said = call("digits", "--model", "pca", "--out", "f.npz")
    assert code == 2
    assert "f.npz exists already" in said
    assert (tmp_path / "f.npz").read_bytes() == b"mine"
