"""Noise by annotators: where their labels come from, and what is recorded."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tests.trainable.data.test_prepare import made_up
from tests.trainable.data.test_published import write_cifar, write_human
from tests.trainable.trees import write_tree
from trainable.config.annotators import AnnotatorNoise
from trainable.config.data import Cifar10N, Digits, ImageData, ImageFolder, Npz
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig, trial_id
from trainable.data.arrays import Arrays
from trainable.data.dataset import Dataset
from trainable.data.prepare import prepare
from trainable.data.ratings import Ratings
from trainable.data.registry import load
from trainable.data.splits import divide
from trainable.errors import DataError
from trainable.random_streams import Streams
from trainable.trial.trial import Trial

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _checksums_of_made_up_files(monkeypatch):
    import torchvision.datasets.cifar

    monkeypatch.setattr(
        torchvision.datasets.cifar, "check_integrity", lambda path, md5=None: Path(path).is_file()
    )


def prepared(arrays: Arrays, noise: AnnotatorNoise, seed: int = 0, **fields) -> Dataset:
    return prepare(arrays, ImageData(**fields), noise, Streams(seed), CPU)


def with_ratings(labels: np.ndarray) -> Arrays:
    arrays = made_up(len(labels))
    names = tuple(str(column) for column in range(labels.shape[1]))
    ratings = Ratings(labels, names)
    return dataclasses.replace(arrays, train=dataclasses.replace(arrays.train, ratings=ratings))


# --- in the data set ---


def test_the_people_of_cifar10n_are_annotators(tmp_path):
    labels = write_cifar(tmp_path, 10)
    people = write_human(tmp_path, labels)
    arrays = load(Cifar10N(labels="worst"), Machine(data_dir=tmp_path))
    assert arrays.train.ratings.annotators == ("rand1", "rand2", "rand3")
    first = prepared(arrays, AnnotatorNoise(choice="first"), validation_fraction=0)
    assert first.train.given.tolist() == people["random_label1"].tolist()
    columns = np.stack([people[f"random_label{k}"] for k in (1, 2, 3)], 1)
    data = prepared(arrays, AnnotatorNoise(choice="random"), validation_fraction=0)
    taken = columns == data.train.given.numpy()[:, None]
    assert (taken.sum(1) == 1).all()
    assert taken.any(0).all()


def test_the_majority_of_the_people_is_their_aggregated_label(tmp_path):
    labels = write_cifar(tmp_path, 10)
    two = (labels + 3) % 10
    write_human(tmp_path, labels, random_label1=labels, random_label2=two, random_label3=two)
    arrays = load(Cifar10N(), Machine(data_dir=tmp_path))
    data = prepared(arrays, AnnotatorNoise(), validation_fraction=0)
    assert data.train.given.tolist() == two.tolist()
    assert data.ratings.agreement == pytest.approx(1 / 3)
    assert data.ratings.wrong(labels) == {"rand1": 0, "rand2": 1, "rand3": 1}


def test_a_file_of_people_that_has_other_labels_only_is_read_as_before(tmp_path):
    labels = write_cifar(tmp_path, 10)
    torch.save({"clean_label": labels, "worse_label": labels}, tmp_path / "CIFAR-10_human.pt")
    arrays = load(Cifar10N(labels="worst"), Machine(data_dir=tmp_path))
    assert arrays.train.ratings is None
    with pytest.raises(DataError, match=r"^noise\.name: annotators: these data have no labels"):
        prepared(arrays, AnnotatorNoise())


def write_npz(path, **changes):
    arrays = made_up(40)
    content = {
        "train_images": arrays.train.images,
        "train_labels": np.arange(40) % 4,
        "test_images": arrays.test.images,
        "test_labels": arrays.test.labels,
        **changes,
    }
    np.savez(path, **content)
    return Npz(path=path.name)


def test_an_npz_file_may_have_a_column_for_each_annotator(tmp_path):
    labels = np.stack([np.arange(40) % 4, np.full(40, -1), (np.arange(40) + 1) % 4], 1)
    data = write_npz(tmp_path / "a.npz", train_annotators=labels)
    plain = load(write_npz(tmp_path / "b.npz"), Machine(study_dir=tmp_path))
    arrays = load(data, Machine(study_dir=tmp_path))
    assert arrays.train.ratings.labels.tolist() == labels.tolist()
    assert arrays.hash != plain.hash
    assert not (prepared(arrays, AnnotatorNoise(choice="first")).noise_rate)
    with pytest.raises(DataError, match=r"a\.npz: train_annotators is int64 \(3, 2\)"):
        load(
            write_npz(tmp_path / "a.npz", train_annotators=np.zeros((3, 2), int)),
            Machine(study_dir=tmp_path),
        )


def test_every_training_image_needs_a_label():
    labels = np.zeros((40, 2), int)
    labels[[7, 9]] = -1
    with pytest.raises(DataError, match=r"2 of 40 training images .*first one is row 7$"):
        prepared(with_ratings(labels), AnnotatorNoise())


def test_an_own_validation_set_keeps_its_labels():
    arrays = with_ratings((made_up(40).train.labels[:, None] + [1, 1, 2]) % 4)
    arrays = dataclasses.replace(arrays, validation=made_up(validation=10).validation)
    parts = divide(arrays, ImageData(), AnnotatorNoise(), Streams(0), Path())
    assert parts.train.wrong.all()
    assert not parts.validation.wrong.any()


# --- in a file ---


def test_a_table_of_annotators_labels_images_of_a_folder(tmp_path):
    tree = write_tree(tmp_path / "t", train=2)
    rows = ["file,ann,bob", "a/0.png,b,b", "a/1.png,a,", "b/0.png,,a", "b/1.png,b,b"]
    (tmp_path / "r.csv").write_text("\n".join(rows))
    data = ImageFolder(path="t", validation_fraction=0)
    machine = Machine(study_dir=tree.parent)
    arrays = load(data, machine)
    noise = AnnotatorNoise(path="r.csv")
    found = prepare(arrays, data, noise, Streams(0), CPU, machine)
    assert found.train.given.tolist() == [1, 0, 0, 1]
    assert found.noise_rate == 0.5
    assert found.ratings.agreement == 1
    (tmp_path / "r.csv").write_text("\n".join(rows[:3]))
    with pytest.raises(DataError, match=r"2 of 4 training images .*first one is train/b/0\.png$"):
        prepare(arrays, data, noise, Streams(0), CPU, machine)


def test_a_study_is_identified_by_the_labels_and_not_by_the_path(tmp_path):
    def id_of(name: str, text: str, **fields) -> str:
        (tmp_path / name).write_text(text)
        content = {"noise": {"name": "annotators", "path": name, **fields}}
        return trial_id(TrialConfig.model_validate(content, context={"study_dir": tmp_path}))

    one = id_of("a.csv", "index,ann\n0,1\n1,0\n")
    assert id_of("b.csv", "index,ann\n1,0\n0,1\n") == one
    assert id_of("a.csv", "index,ann\n0,1\n1,1\n") != one
    assert id_of("a.csv", "index,ann\n0,1\n1,0\n", choice="first") != one


# --- simulated ---


def test_a_trial_records_rate_agreement_and_the_errors_of_each_annotator():
    config = TrialConfig.model_validate(
        {
            "noise": {"name": "annotators", "skills": [0.9, 0.5], "choice": "random"},
            "model": {"name": "small_cnn", "width": 4},
            "train": {"epochs": 1},
            "method": {"name": "cross_entropy"},
        }
    )
    trial = Trial(config, Machine(device="cpu"))
    next(trial)
    summary = trial.summary()
    assert summary["noise_rate"] == pytest.approx(0.3, abs=0.05)
    assert summary["noise_rate_nominal"] is None
    assert summary["annotator_agreement"] == pytest.approx(0.45 + 0.05 / 9, abs=0.05)
    assert summary["annotator_wrong"] == pytest.approx({"1": 0.1, "2": 0.5}, abs=0.05)
    assert np.diag(summary["noise_transition"]) == pytest.approx(np.full(10, 0.7), abs=0.15)
    assert (
        1 - trial.data.noise_rate
        == (trial.data.train.given == trial.data.train.true).numpy().mean()
    )


def test_another_choice_has_the_same_annotators():
    arrays = load(Digits(), Machine())
    majority, drawn = (
        prepared(arrays, AnnotatorNoise(skills=[0.8, 0.6, 0.6], choice=choice))
        for choice in ("majority", "random")
    )
    assert np.array_equal(majority.ratings.labels, drawn.ratings.labels)
    assert majority.noise_rate < drawn.noise_rate
    other = prepared(arrays, AnnotatorNoise(skills=[0.8, 0.6, 0.6]), seed=1)
    assert other.noise_hash != majority.noise_hash != drawn.noise_hash


def test_an_own_validation_set_has_simulated_annotators_too():
    arrays = made_up(validation=40)
    parts = divide(arrays, ImageData(), AnnotatorNoise(skills=[0.0]), Streams(0), Path())
    assert parts.train.wrong.all()
    assert parts.validation.wrong.all()


def test_labels_are_from_a_file_or_simulated():
    with pytest.raises(ValidationError, match="keep one of both"):
        AnnotatorNoise(path="a.csv", skills=[0.5])
