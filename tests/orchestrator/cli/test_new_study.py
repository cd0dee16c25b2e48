"""`init`: what it says about data, and that the study it writes is one."""

import json
import subprocess
import sys
import unicodedata
from shutil import copytree

import numpy as np
import pytest
from typer.testing import CliRunner

from orchestrator.cli import app, study_size
from orchestrator.exit_codes import Ended
from orchestrator.run.run_study import study_machine
from orchestrator.study.load import load_study
from tests.trainable.trees import picture, save, write_tree
from trainable.config.data import ImageFolder
from trainable.config.runtime import Machine
from trainable.data.survey import survey
from trainable.errors import DataError
from trainable.trial.trial import Trial


def npz(path, n=40, classes=4, **more):
    rng = np.random.default_rng(0)
    np.savez(
        path,
        train_images=rng.integers(0, 256, (n, 28, 28), dtype=np.uint8),
        train_labels=np.arange(n) % classes,
        test_images=rng.integers(0, 256, (8, 28, 28), dtype=np.uint8),
        test_labels=np.arange(8) % classes,
        **more,
    )
    return path


def written(tmp_path, monkeypatch, source, *options: str):
    """What `init` printed, and the study that it wrote."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app.app, ["init", str(source), *options], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    file = tmp_path / (options[1] if options else f"{source.stem}.yaml")
    return done.output, load_study(file)


def test_a_folder_becomes_a_study_beside_it(tmp_path, monkeypatch):
    root = write_tree(tmp_path / "my birds", train=12, validation=2, classes=("crow", "owl"))
    save(root / "train" / "owl" / "wide.jpg", picture(1, 40, 90))
    output, planned = written(tmp_path, monkeypatch, root, "--out", "birds.yaml")
    assert "2 classes: crow, owl" in output
    assert "train: 25 images, 12 to 13 a class" in output
    assert "val: 4 images" in output
    assert "colour images of 12×12, 90×40 pixels" in output
    assert "size: 7 arms × 8 seeds × 100 epochs take about " in output
    assert "# size: 7 arms × 8 seeds × 100 epochs take" in (tmp_path / "birds.yaml").read_text()
    config = planned.trials[0].config
    assert planned.name == "my_birds"
    assert config.data == ImageFolder(
        path="my birds",
        size=16,
        labels_are_true=False,
        test_labels="unchecked",
        validation_fraction=0.1,
        crop_padding=1,
        flip=True,
    )
    assert config.method.warmup_epochs < config.train.epochs
    assert {trial.record.arm for trial in planned.trials} == {
        "baseline",
        "strong_cross_entropy",
        "published",
        "no_co_refine",
        "mixup",
        "one_network",
        "lambda_u=25",
    }
    assert planned.file.analysis.primary == "strong_cross_entropy"


def test_test_labels_are_trusted_if_the_owner_says_so(tmp_path, monkeypatch):
    root = write_tree(tmp_path / "t", train=12)
    _, planned = written(tmp_path, monkeypatch, root, "--out", "t.yaml", "--trusted-test")
    assert planned.trials[0].config.data.test_labels == "trusted"


@pytest.mark.parametrize("flat", [True, False])
def test_a_folder_without_a_test_set_becomes_a_study_with_a_part_of_it(tmp_path, monkeypatch, flat):
    root = write_tree(tmp_path / "t", train=20, test=0)
    save(root / "train" / "a" / "deep" / "copy.png", picture(5000))  # of train/a/0.png
    if flat:
        for name in ("a", "b"):
            (root / "train" / name).rename(root / name)
        (root / "train").rmdir()
    output, planned = written(tmp_path, monkeypatch, root)
    assert "train: 33 images, 16 to 17 a class" in output
    assert "test: 8 images, 4 to 4 a class" in output
    assert "no test set: a fifth of the training images of each class is held out" in output
    assert "8 test images: an accuracy is known to ±34.6 points at worst" in output
    assert "test images are training images too" not in output
    text = (tmp_path / "t.yaml").read_text()
    assert "test_fraction: 0.2 # no test set was found: this share of each class is held" in text
    assert "test_labels: unchecked # the labels as they are" in text
    data = planned.trials[0].config.data
    assert (data.test_fraction, data.test_labels, data.labels_are_true) == (0.2, "unchecked", False)
    rows = list(Trial(load_study(tmp_path / "t.yaml", SHORT).trials[0].config, Machine()))
    assert len(rows) == 2


def test_class_folders_in_another_normal_form_are_told(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "Bär") for form in ("NFC", "NFD"))
    root = write_tree(tmp_path / "t", train=12, classes=(composed, "owl"))
    (root / "test" / composed).rename(root / "test" / decomposed)
    assert f"test writes {decomposed} in another normal form of Unicode than train" in suspicions(
        root
    )


def test_an_npz_without_a_test_set_says_whether_its_labels_are_known(tmp_path, monkeypatch):
    content = dict(np.load(npz(tmp_path / "full.npz")))
    content = {name: content[name] for name in ("train_images", "train_labels")}
    np.savez(tmp_path / "a.npz", **content)
    output, planned = written(tmp_path, monkeypatch, tmp_path / "a.npz")
    assert "test: 8 images, 2 to 2 a class" in output
    assert planned.trials[0].config.data.test_labels == "unchecked"
    np.savez(tmp_path / "b.npz", train_noisy_labels=np.zeros(40, int), **content)
    _, planned = written(tmp_path, monkeypatch, tmp_path / "b.npz")
    assert planned.trials[0].config.data.test_labels == "trusted"


def test_grey_folders_and_images_of_one_size_need_no_scaling(tmp_path, monkeypatch):
    root = tmp_path / "x"
    for split in ("train", "test"):
        for k in range(6):
            save(root / split / str(k % 2) / f"{k}.png", picture(k + 100 * len(split)).convert("L"))
    _, planned = written(tmp_path, monkeypatch, root)
    data = planned.trials[0].config.data
    assert (data.channels, data.size, data.flip) == (1, None, False)


def test_an_npz_becomes_a_study_and_its_noisy_labels_are_known(tmp_path, monkeypatch):
    output, planned = written(tmp_path, monkeypatch, npz(tmp_path / "a.npz"))
    assert "grey images of 28×28 pixels" in output
    assert not planned.trials[0].config.data.labels_are_true
    (tmp_path / "a.yaml").unlink()
    npz(tmp_path / "a.npz", train_noisy_labels=np.zeros(40, int))
    output, planned = written(tmp_path, monkeypatch, tmp_path / "a.npz")
    assert "train_noisy_labels: training sees these" in output
    assert planned.trials[0].config.data.labels_are_true


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("2024", "2024"),
        ("true", "true"),
        ("My Photos (v1.2)", "my_photos__v1.2_"),
        ("a\nb: c", "a_b__c"),
    ],
)
def test_a_study_of_any_folder_can_be_read(tmp_path, monkeypatch, folder, name):
    root = write_tree(tmp_path / folder, train=6, classes=("crow", "owl"))
    _, planned = written(tmp_path, monkeypatch, root, "--out", "s.yaml")
    assert planned.name == name
    assert (tmp_path / planned.trials[0].config.data.path).resolve() == root.resolve()


def test_a_class_whose_name_cannot_be_shown_is_refused(tmp_path):
    root = write_tree(tmp_path / "birds", train=6, classes=("crow", "owl\nbase: 1"))
    with pytest.raises(DataError, match=r"cannot be shown, 'owl\\nbase: 1': rename it"):
        survey(root)


@pytest.mark.parametrize(
    ("hours", "seeds", "arms", "epochs"),
    [
        (1, 8, 7, 48),
        (1.5, 6, 7, 48),
        (2.5, 6, 4, 48),
        (5, 6, 2, 48),
        (6.6, 6, 2, 36),
        (9, 6, 2, 24),
        (200, 6, 2, 24),
    ],
)
def test_a_study_that_would_take_hours_is_made_smaller(
    tmp_path, monkeypatch, hours, seeds, arms, epochs
):
    slots = 2
    each = hours * 3600 * slots / (8 * 7 * 48)  # all arms take equally long
    arms_of = ("baseline", *study_size.ARMS)
    monkeypatch.setattr(
        study_size,
        "timed",
        lambda *arguments: study_size.Timed(dict.fromkeys(arms_of, each), 1.5, slots),
    )
    output, planned = written(tmp_path, monkeypatch, npz(tmp_path / "n.npz", 4000))
    records = [trial.record for trial in planned.trials]
    assert len({record.seed for record in records}) == seeds
    assert len({record.arm for record in records}) == arms
    assert {record.epochs for record in records} == {epochs}
    text = (tmp_path / "n.yaml").read_text()
    assert "strong_cross_entropy" in {record.arm for record in records}
    assert ("to end sooner, " in output) == ("# to end sooner, " in text) == (seeds < 8)
    if hours == 5:
        assert "take about 1 h 04 min to 1 h 36 min on 2 slots of this machine" in text
        assert "5 arms are commented out, 2 of 8 seeds are left out: the whole" in output
        assert "  # mixup: {method.mixup: true}" in text
        assert "# factors: # one at a time" in text
    assert planned.warnings == []


def test_images_that_the_network_does_not_take_are_not_timed(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 6, 6), dtype=np.uint8)
    labels = np.arange(20) % 2
    np.savez(
        tmp_path / "s.npz",
        train_images=images[:16],
        train_labels=labels[:16],
        test_images=images[16:],
        test_labels=labels[16:],
    )
    output, planned = written(tmp_path, monkeypatch, tmp_path / "s.npz")
    assert "size: " not in output
    assert len(planned.trials) == 56


def test_many_images_take_fewer_epochs(tmp_path, monkeypatch):
    epochs = {}
    for n in (40, 4000, 9000):
        source = npz(tmp_path / f"n{n}.npz", n)
        epochs[n] = written(tmp_path, monkeypatch, source)[1].trials[0].config.train.epochs
    assert epochs == {40: 100, 4000: 48, 9000: 30}


def test_a_file_that_is_there_is_not_overwritten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    npz(tmp_path / "a.npz")
    (tmp_path / "a.yaml").write_text("mine")
    with pytest.raises(Ended, match=r"a\.yaml exists already; name another with --out"):
        CliRunner().invoke(app.app, ["init", "a.npz"], catch_exceptions=False)
    assert (tmp_path / "a.yaml").read_text() == "mine"


def test_a_study_says_whether_images_are_kept_in_memory(tmp_path, monkeypatch):
    written(tmp_path, monkeypatch, npz(tmp_path / "a.npz"))
    for changes, expected in (
        ([], "auto"),
        (["run.resident=false"], False),
        (["run.resident=true"], True),
    ):
        planned = load_study(tmp_path / "a.yaml", changes)
        assert study_machine(tmp_path, tmp_path, planned).resident == expected


# --- suspicions ---


def suspicions(root) -> str:
    return "\n".join(survey(root).problems)


def test_clean_data_raise_no_suspicion(tmp_path):
    assert suspicions(write_tree(tmp_path / "t", train=12)) == ""


def test_copies_leaks_and_contradictions_are_found(tmp_path):
    root = write_tree(tmp_path / "t", train=12)
    save(root / "train" / "b" / "copy.png", picture(5000))  # train/a/0.png under another class
    save(root / "test" / "a" / "copy.png", picture(5001))
    found = suspicions(root)
    assert "1 test images are training images too" in found
    assert "1 training images appear under several classes" in found
    assert "1 training images are copies of another" in found


def test_few_uneven_and_untested_classes_are_found(tmp_path):
    root = write_tree(tmp_path / "t", train=2, test=2)
    for k in range(30):
        save(root / "train" / "a" / f"more{k}.png", picture(9000 + k))
    for k in range(2):
        (root / "test" / "b" / f"{k}.png").unlink()
    found = suspicions(root)
    assert "fewer than 10 training images: b" in found
    assert "uneven classes: 32 training images of the largest and 2 of the smallest" in found
    assert "classes without a test image: b" in found


def test_other_files_and_kinds_of_images_are_named(tmp_path):
    root = write_tree(tmp_path / "t", train=12)
    save(root / "train" / "a" / "grey.png", picture(1).convert("L"))
    (root / "train" / "a" / "x.txt").write_bytes(b"")
    found = suspicions(root)
    assert "images of several kinds: 32 RGB, 1 L" in found
    assert "1 files are left out, because they are not images" in found
    assert ": train/a/x.txt" in found


def test_what_is_not_read_is_told_by_every_command(tmp_path, command):
    root = write_tree(tmp_path / "t", train=12)
    (root / "train" / "a" / "x.txt").write_text("x")
    study = tmp_path / "s.yaml"
    study.write_text(
        "name: s\nseeds: [0]\nbase:\n  data: {name: image_folder, path: t, crop_padding: 1}\n"
        "  model: {name: small_cnn, width: 4}\n  train: {epochs: 1}\n  method: {name: cross_entropy}\n"
    )
    told = "t: 1 files are left out, because they are not images"
    for arguments in (
        ("plan", study, "--results", tmp_path),
        ("shard", study, "--index", "0", "--of", "1", "--results", tmp_path),
        ("report", tmp_path / "s"),
    ):
        code, out, err = command(*arguments)
        assert code == 0, err
        assert told in out or arguments[0] == "report"
    assert told in (tmp_path / "s/report/report.md").read_text()
    assert told in (tmp_path / "s/runs/baseline/seed=0/train.log").read_text()
    summary = json.loads((tmp_path / "s/runs/baseline/seed=0/summary.json").read_text())
    assert summary["data_notes"][0].startswith(told)


def test_skipped_images_are_counted_in_the_summary_and_the_report(tmp_path, command):
    root = write_tree(tmp_path / "t", train=12)
    (root / "train" / "a" / "0.png").write_bytes(b"no")
    study = tmp_path / "s.yaml"
    study.write_text(
        "name: s\nseeds: [0]\nbase:\n"
        "  data: {name: image_folder, path: t, crop_padding: 1, skip_unreadable: true}\n"
        "  model: {name: small_cnn, width: 4}\n  train: {epochs: 1}\n  method: {name: cross_entropy}\n"
    )
    command("shard", study, "--index", "0", "--of", "1", "--results", tmp_path)
    summary = json.loads((tmp_path / "s/runs/baseline/seed=0/summary.json").read_text())
    assert summary["skipped_images"] == 1
    assert command("report", tmp_path / "s")[0] == 0
    assert "t (1 unreadable image skipped), " in (tmp_path / "s/report/report.md").read_text()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda root: (root / "train" / "a" / "0.png").write_bytes(b"no"),
            r"1 images cannot be read: train/a/0\.png",
        ),
        (
            lambda root: (root / "train").rename(root / "training"),
            r"/train does not exist or has no class folders; expected .* next to test/",
        ),
        (
            lambda root: [copytree(root / "train", root / "test", dirs_exist_ok=True)],
            r"t: 16 of 16 test images are training images, so they test nothing",
        ),
        (
            lambda root: (root / "test" / "a").rename(root / "test" / "A"),
            r"/test has the class A, which train/ does not have; train/ has a, b",
        ),
    ],
)
def test_data_that_no_study_can_use_are_refused_with_the_reason(tmp_path, spoil, message):
    root = write_tree(tmp_path / "t")
    spoil(root)
    with pytest.raises(DataError, match=message):
        survey(root)


def test_an_absent_source_is_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        survey(tmp_path / "absent")


# --- end to end ---


@pytest.fixture
def photographs(tmp_path, cifar10_photographs):
    """A tree of 200 photographs, written by the script that comes with them."""
    run(
        cifar10_photographs / "cifar10_jpeg.py",
        "tree",
        tmp_path / "photos",
        "--train",
        200,
        "--test",
        50,
    )
    return tmp_path / "photos"


def run(*command: object) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


SHORT = ["seeds=[0]", "base.train.epochs=2", "base.method.warmup_epochs=1", "factors={}"]


def test_a_written_study_trains_on_a_tree_of_photographs(photographs, tmp_path, monkeypatch):
    output, _ = written(tmp_path, monkeypatch, photographs)
    assert "train: 200 images, 20 to 20 a class" in output
    trials = load_study(tmp_path / "photos.yaml", SHORT).trials
    assert len(trials) == 6
    for planned in (trials[0], trials[-1]):
        rows = list(Trial(planned.config, Machine(study_dir=tmp_path, device="cpu")))
        assert [row["epoch"] for row in rows] == [1, 2]


@pytest.mark.slow
def test_init_on_a_tree_of_photographs_writes_a_study_that_runs(photographs, tmp_path):
    file = tmp_path / "photos.yaml"
    run("-m", "orchestrator", "init", photographs, "--out", file)
    sets = [part for change in [*SHORT, "run.resident=false"] for part in ("--set", change)]
    output = run(
        "-m",
        "orchestrator",
        "run",
        file,
        "--results",
        tmp_path / "results",
        "--no-ray",
        *sets,
    )
    assert "6 done" in output
