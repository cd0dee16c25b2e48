"""The networks of a finished trial: they predict as the trial was tested, without the data set; and what is missing."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.trainable.trees import picture, write_tree
from trainable.api import DataError, load_model
from trainable.config.data import Digits, ImageFolder
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.data import samples
from trainable.data.preprocessing import Preprocessing
from trainable.data.registry import load
from trainable.storage.trial_folder import TrialFolder
from trainable.trial.session import Session

DIVIDEMIX = {"name": "dividemix", "warmup_epochs": 1}
NET = """\
from torch import nn

from trainable.api import Method, Section


class Net(nn.Sequential):
    class Config(Section):
        width: int = 4

    def __init__(self, config, shape, classes):
        super().__init__(nn.Flatten(), nn.Linear(64, classes))


class First(Method):
    class Config(Section):
        networks: int = 2

    def train_epoch(self):
        return {"phase": "first", **self.cross_entropy_epoch()}

    def combined(self, logits):
        return logits[0]


class Plain(First):
    Config = First.Config
    combined = Method.combined
"""


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to work in, and nothing that has to survive a power cut."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


def finished(**sections) -> TrialFolder:
    """The folder of a trial that has trained."""
    content = {
        "data": {"name": "digits"},
        "model": {"name": "small_cnn", "width": 4},
        "train": {"epochs": 2, "lr": 0.02},
        "method": DIVIDEMIX,
        **sections,
    }
    config = TrialConfig.model_validate(content, context={"study_dir": Path()})
    session = Session(config, "trial", Machine(device="cpu"))
    while not session.finished:
        session.advance()
    session.close()
    assert session.folder.summary is not None, session.folder.failure
    return session.folder


def as_earlier_versions_wrote(folder: TrialFolder) -> None:
    """Replace the networks by a list of their state dicts, and let the summary know of it."""
    states = torch.load(folder.path / "model.pt", weights_only=True)["networks"]
    buffer = io.BytesIO()
    torch.save(states, buffer)
    summary = folder.summary
    folder.claim()
    folder.write("model.pt", buffer.getvalue())
    folder.finish(summary)
    folder.release()


def pixels(tree: Path) -> None:
    """Arrays of a data set of two classes."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (50, 8, 8), dtype=np.uint8)
    images[::2] //= 4
    labels = np.arange(50) % 2
    np.savez(
        tree,
        train_images=images[10:],
        train_labels=labels[10:],
        test_images=images[:10],
        test_labels=labels[:10],
    )


# --- predictions are those of the test ---


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"method": {**DIVIDEMIX, "ensemble": "probabilities"}},
        {"method": {**DIVIDEMIX, "networks": 1}},
        {"method": {"name": "cross_entropy"}, "train": {"epochs": 2, "lr": 0.02, "ema_decay": 0.5}},
        {"train": {"epochs": 2, "lr": 0.02, "precision": "bf16"}},
    ],
    ids=["logits", "probabilities", "one network", "ema", "bf16"],
)
def test_the_most_probable_classes_have_the_test_accuracy_of_the_trial(sections):
    folder = finished(**sections)
    test = load(Digits(), Machine()).test
    probabilities = load_model(folder.path).predict_probabilities(test.images)
    assert probabilities.shape == (360, 10)
    assert probabilities.sum(1) == pytest.approx(np.ones(360))
    right = probabilities.argmax(1) == test.labels
    assert 100 * right.mean() == pytest.approx(folder.summary["test/accuracy"])
    networks = len(load_model(folder.path).networks)
    assert networks == folder.trial["config"]["method"]["networks"]


def test_what_is_averaged_is_what_the_method_says():
    folder = finished()
    model = load_model(folder.path)
    images = load(Digits(), Machine()).test.images[:50]
    with torch.inference_mode():
        inputs = model.preprocessing.input(images, torch.device("cpu"))
        first, second = (network(inputs).double() for network in model.networks)
    expected = ((first + second) / 2).softmax(1).numpy()
    assert model.predict_probabilities(images) == pytest.approx(expected)
    mean = ((first.softmax(1) + second.softmax(1)) / 2).numpy()
    assert np.abs(mean - expected).max() > 1e-4


def test_photographs_are_scaled_cut_and_normalised_as_in_the_test():
    write_tree(Path("t"), train=8, test=6)
    data = {"name": "image_folder", "path": "t", "size": 16, "crop": 10, "channels": 1}
    folder = finished(data=data)
    arrays = load(ImageFolder.model_validate(data), Machine())
    model = load_model(folder.path)
    assert model.class_names == ("a", "b")
    assert model.input_shape == (1, 10, 10)
    assert model.preprocessing == Preprocessing.of(ImageFolder.model_validate(data), arrays)
    files = [arrays.test.images.path(row) for row in range(12)]
    shutil.move("t", "moved")
    files = ["moved" / file.relative_to("t") for file in files]
    right = model.predict_probabilities(files).argmax(1) == arrays.test.labels
    assert 100 * right.mean() == pytest.approx(folder.summary["test/accuracy"])


def test_results_do_not_depend_on_the_batch_and_no_image_is_no_row(monkeypatch):
    model = load_model(finished().path)
    images = load(Digits(), Machine()).test.images[:40]
    whole = model.predict_probabilities(images)
    monkeypatch.setitem(samples.MOST_PIXELS, "cpu", 7 * 64)
    assert model.predict_probabilities(images) == pytest.approx(whole, abs=1e-6)
    assert model.predict_probabilities(images[:0]).shape == (0, 10)


def test_grey_images_in_memory_are_taken_with_and_without_channels_and_colours_become_grey():
    model = load_model(finished().path)
    images = load(Digits(), Machine()).test.images[:5]
    expected = model.predict_probabilities(images)
    assert np.array_equal(model.predict_probabilities(images[..., 0]), expected)
    assert np.array_equal(model.predict_probabilities(images.repeat(3, axis=3)), expected)
    for wrong in (images.astype(float), images[..., 0][0], images.repeat(2, axis=3)):
        with pytest.raises(DataError, match=r"^the images are .*expected uint8"):
            model.predict_probabilities(wrong)


def test_an_image_of_another_size_is_refused_where_training_scales_none():
    model = load_model(finished().path)
    with pytest.raises(DataError, match=r"^the image has 9×8 pixels.* 8×8, without data\.size"):
        model.predict_probabilities(np.zeros((1, 8, 9), np.uint8))
    picture(0, 20, 30).save("x.png")
    with pytest.raises(DataError, match=r"^x\.png has 30×20 pixels"):
        model.predict_probabilities(["x.png"])


# --- the file is enough ---


def test_the_file_alone_is_enough_and_so_is_that_of_the_best_epoch():
    pixels(Path("d.npz"))
    folder = finished(data={"name": "npz", "path": "d.npz", "validation_fraction": 0.2})
    images = np.load("d.npz")["test_images"]
    expected = load_model(folder.path).predict_probabilities(images)
    Path("d.npz").unlink()
    shutil.copy(folder.path / "model.pt", "elsewhere.pt")
    model = load_model("elsewhere.pt")
    assert np.array_equal(model.predict_probabilities(images), expected)
    assert model.class_names == ("0", "1"), "an .npz file has no names"
    assert load_model(folder.path / "best.pt").predict_probabilities(images).shape == (10, 2)


def test_weights_of_earlier_versions_are_described_by_the_folder_and_the_data_set():
    pixels(Path("d.npz"))
    folder = finished(data={"name": "npz", "path": "d.npz"})
    images = np.load("d.npz")["test_images"]
    expected = load_model(folder.path).predict_probabilities(images)
    as_earlier_versions_wrote(folder)
    assert np.array_equal(load_model(folder.path).predict_probabilities(images), expected)

    old = r"\.pt was written by an earlier version, without class names and normalisation, and"
    content = dict(np.load("d.npz"))
    np.savez("d.npz", **{**content, "train_images": 255 - content["train_images"]})
    with pytest.raises(DataError, match=f"{old} its data set npz has changed"):
        load_model(folder.path)
    Path("d.npz").unlink()
    with pytest.raises(DataError, match=rf"{old} its data set cannot be read: .*d\.npz does not"):
        load_model(folder.path)
    shutil.copy(folder.path / "model.pt", "elsewhere.pt")
    with pytest.raises(DataError, match=rf"{old} there is no readable trial\.json next to it"):
        load_model("elsewhere.pt")


# --- what is missing ---


def test_weights_that_were_left_out_are_a_sentence_with_what_keeps_them():
    folder = finished()
    (folder.path / "model.pt").unlink()
    with pytest.raises(DataError, match=r"model\.pt does not exist\. `run` keeps it .* `bundle`"):
        load_model(folder.path)
    (folder.path / "summary.json").unlink()
    for path in (folder.path, "absent"):
        with pytest.raises(DataError, match=r"contains no completed trial"):
            load_model(path)
    with pytest.raises(DataError, match=r"absent\.pt cannot be read: No such file"):
        load_model("absent.pt")


def test_damaged_weights_are_not_used():
    folder = finished()
    content = bytearray((folder.path / "model.pt").read_bytes())
    content[len(content) // 2] ^= 1
    (folder.path / "model.pt").write_bytes(content)
    with pytest.raises(DataError, match=r"is damaged: model\.pt does not match its checksum"):
        load_model(folder.path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.pop("description"), "no description of the networks"),
        (lambda content: content["description"].pop("class_names"), "no description"),
        (lambda content: content["description"]["images"].update(mean=[]), "no description"),
        (lambda content: content["description"]["images"].update(colour=3), "no description"),
        (lambda content: content["description"]["model"].update(name="new"), "another version"),
        (lambda content: content["description"]["model"].update(width=8), "that do not fit"),
        (lambda content: content.update(networks=[]), "contains no weights"),
    ],
)
def test_a_file_that_was_changed_is_a_sentence(change, message):
    folder = finished()
    content = torch.load(folder.path / "model.pt", weights_only=True)
    change(content)
    torch.save(content, "changed.pt")
    with pytest.raises(DataError, match=message):
        load_model("changed.pt")


# --- own code ---


def test_own_networks_are_built_only_where_their_code_may_be_executed():
    Path("net.py").write_text(NET)
    folder = finished(model={"name": "net.py:Net"}, method={"name": "net.py:Plain"})
    Path("net.py").unlink()
    with pytest.raises(DataError, match=r"own method or model.*--own-code"):
        load_model(folder.path)
    test = load(Digits(), Machine()).test
    probabilities = load_model(folder.path, own_code=True).predict_probabilities(test.images)
    right = probabilities.argmax(1) == test.labels
    assert 100 * right.mean() == pytest.approx(folder.summary["test/accuracy"])


def test_networks_that_an_own_rule_combines_are_refused_and_those_of_other_own_methods_are_not():
    Path("net.py").write_text(NET)
    folder = finished(method={"name": "net.py:First"})
    with pytest.raises(DataError, match=r"combines its networks by a rule of its own"):
        load_model(folder.path)
    shutil.rmtree("trial")
    assert load_model(finished(method={"name": "net.py:Plain"}).path).averages == "logits"
