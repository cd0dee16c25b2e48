"""Published data sets on tiny trees of their true layout."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.trainable.trees import picture, save
from trainable.config.data import (
    Cifar10,
    Cifar10N,
    Cifar100,
    Cifar100N,
    Clothing1M,
    Cub200,
    FashionMnist,
    Kmnist,
    Mnist,
    NoNoise,
    WebVision,
)
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.data.dataset import balanced
from trainable.data.prepare import prepare
from trainable.data.registry import load
from trainable.errors import DataError
from trainable.random_streams import Streams
from trainable.trial.trial import Trial

CPU = torch.device("cpu")
EVERY = [
    Mnist(),
    FashionMnist(),
    Kmnist(),
    Cifar10(),
    Cifar100(),
    Cub200(),
    Clothing1M(),
    WebVision(),
]


@pytest.mark.parametrize("data", [*EVERY, Cifar10N(), Cifar100N()], ids=lambda data: data.name)
def test_absent_data_is_one_message_with_the_layout_and_where_to_get_it(tmp_path, data):
    with pytest.raises(DataError) as error:
        load(data, Machine(data_dir=tmp_path))
    message = str(error.value)
    assert message.startswith(f"{data.name}: {tmp_path}")
    assert "does not exist; expected" in message
    assert "https://" in message
    assert "\n" not in message


# --- CIFAR ---


@pytest.fixture(autouse=True)
def _checksums_of_made_up_files(monkeypatch):
    import torchvision.datasets.cifar

    monkeypatch.setattr(
        torchvision.datasets.cifar, "check_integrity", lambda path, md5=None: Path(path).is_file()
    )


def write_cifar(root: Path, classes: int) -> np.ndarray:
    """The python version's files, 20 training images; their labels."""
    rng = np.random.default_rng(0)
    folder = root / ("cifar-10-batches-py" if classes == 10 else "cifar-100-python")
    folder.mkdir(parents=True)
    labels = rng.integers(0, classes, 20)
    key, meta = (
        ("labels", ("batches.meta", "label_names"))
        if classes == 10
        else ("fine_labels", ("meta", "fine_label_names"))
    )
    parts = {"train": labels, "test": labels[:4]}
    if classes == 10:
        parts = {f"data_batch_{k + 1}": labels[4 * k : 4 * k + 4] for k in range(5)} | {
            "test_batch": labels[:4]
        }
    for name, part in parts.items():
        content = {
            "data": rng.integers(0, 256, (len(part), 3072), dtype=np.uint8),
            key: part.tolist(),
        }
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
    (folder / meta[0]).write_bytes(pickle.dumps({meta[1]: [f"class {c}" for c in range(classes)]}))
    return labels


def test_cifar100_is_read_with_the_authors_constants(tmp_path):
    labels = write_cifar(tmp_path, 100)
    data = load(Cifar100(), Machine(data_dir=tmp_path))
    assert data.train.labels.tolist() == labels.tolist()
    assert data.train.images.shape == (20, 32, 32, 3)
    assert (data.classes, data.class_names[7], len(data.test)) == (100, "class 7", 4)
    assert (data.mean, data.std) == (
        (0.507, 0.487, 0.441),
        (0.267, 0.256, 0.276),
    )  # of the authors' code


def write_human(root: Path, labels: np.ndarray, **changes) -> dict[str, np.ndarray]:
    """CIFAR-10_human.pt with the published keys."""
    keys = ("aggre_label", "worse_label", "random_label1", "random_label2", "random_label3")
    content = (
        {"clean_label": labels}
        | {key: (labels + k + 1) % 10 for k, key in enumerate(keys)}
        | changes
    )
    torch.save(content, root / "CIFAR-10_human.pt")
    return content


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("aggre", "aggre_label"),
        ("worst", "worse_label"),
        ("rand1", "random_label1"),
        ("rand2", "random_label2"),
        ("rand3", "random_label3"),
    ],
)
def test_human_labels_of_cifar10_are_given_and_the_usual_ones_true(tmp_path, name, key):
    labels = write_cifar(tmp_path, 10)
    content = write_human(tmp_path, labels)
    data = load(Cifar10N(labels=name), Machine(data_dir=tmp_path))
    assert data.train.labels.tolist() == labels.tolist()
    assert data.train.given.tolist() == content[key].tolist()
    found = prepare(data, Cifar10N(validation_fraction=0), NoNoise(), Streams(0), CPU)
    assert found.noise_rate == 1


def test_human_labels_of_cifar100_are_read_where_the_file_also_has_lists(tmp_path):
    labels = write_cifar(tmp_path, 100)
    content = {
        "clean_label": labels,
        "noisy_label": labels[::-1].copy(),
        "clean_coarse_label": [0] * 20,
    }
    torch.save(content, tmp_path / "CIFAR-100_human.pt")
    assert (
        load(Cifar100N(), Machine(data_dir=tmp_path)).train.given.tolist() == labels[::-1].tolist()
    )


def human_refusal(root: Path) -> str:
    with pytest.raises(DataError) as error:
        load(Cifar10N(), Machine(data_dir=root))
    return str(error.value)


def test_human_labels_written_by_an_older_numpy_are_read(tmp_path):
    labels = write_cifar(tmp_path, 10)
    write_human(tmp_path, labels)
    import zipfile

    with zipfile.ZipFile(tmp_path / "CIFAR-10_human.pt") as file:
        parts = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(tmp_path / "CIFAR-10_human.pt", "w", zipfile.ZIP_STORED) as file:
        for name, content in parts.items():
            file.writestr(
                name, content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
            )
    assert (
        load(Cifar10N(), Machine(data_dir=tmp_path)).train.given.tolist()
        == ((labels + 2) % 10).tolist()
    )


class Bomb:
    def __init__(self, target: Path):
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


def test_a_hostile_label_file_is_refused_and_nothing_in_it_runs(tmp_path):
    labels = write_cifar(tmp_path, 10)
    write_human(tmp_path, labels, worse_label=Bomb(tmp_path / "exploded"))
    message = human_refusal(tmp_path)
    assert "CIFAR-10_human.pt" in message
    assert not (tmp_path / "exploded").exists()
    (tmp_path / "CIFAR-10_human.pt").write_bytes(
        pickle.dumps(Bomb(tmp_path / "exploded"))
    )  # no zip at all
    assert "CIFAR-10_human.pt" in human_refusal(tmp_path)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clean_label": np.arange(20) % 10}, r"clean_label .* of 20 "),
        (
            {"worse_label": np.arange(19)},
            r"worse_label is int64 \(19,\); expected .*\b20\b",
        ),
        ({"worse_label": np.full(20, 10)}, r"worse_label .*\b10 .*0 to 9"),
        ({"worse_label": np.full(20, -1)}, r"worse_label .*-1 .*0 to 9"),
    ],
)
def test_human_labels_that_do_not_fit_the_images_are_refused(tmp_path, changes, message):
    write_human(tmp_path, write_cifar(tmp_path, 10), **changes)
    assert re.search(message, human_refusal(tmp_path))


def test_a_label_file_without_the_key_says_what_it_has(tmp_path):
    torch.save(
        {"clean_label": write_cifar(tmp_path, 10), "other": 1}, tmp_path / "CIFAR-10_human.pt"
    )
    assert "`worse_label` is missing; it has clean_label, other" in human_refusal(tmp_path)
    (tmp_path / "CIFAR-10_human.pt").write_bytes(b"")
    assert "CIFAR-10_human.pt" in human_refusal(tmp_path)


# --- MNIST ---


def write_idx(path: Path, array: np.ndarray) -> None:
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes())


def write_mnist(root: Path, name: str, labels: np.ndarray) -> np.ndarray:
    folder = root / name / "raw"
    folder.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 28, 28), dtype=np.uint8)
    for part in ("train", "t10k"):
        write_idx(folder / f"{part}-images-idx3-ubyte", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte", labels)
    return images


@pytest.mark.parametrize(
    ("data", "folder"), [(Mnist(), "MNIST"), (FashionMnist(), "FashionMNIST"), (Kmnist(), "KMNIST")]
)
def test_the_mnist_family_is_read(tmp_path, data, folder):
    images = write_mnist(tmp_path, folder, np.arange(10))
    found = load(data, Machine(data_dir=tmp_path))
    assert np.array_equal(found.train.images[..., 0], images)
    assert found.test.labels.tolist() == list(range(10))
    assert found.mean == pytest.approx(((images / 255).mean(),))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda folder: (folder / "t10k-labels-idx1-ubyte").unlink(),
            "Dataset not found",
        ),
        (
            lambda folder: (folder / "t10k-labels-idx1-ubyte").rename(
                folder / "t10k-labels-idx1-ubyte.gz"
            ),
            "unpack it: gunzip ",
        ),
        (
            lambda folder: write_idx(folder / "t10k-labels-idx1-ubyte", np.arange(9)),
            "10 images and 9 labels",
        ),
        (
            lambda folder: write_idx(folder / "train-labels-idx1-ubyte", np.full(10, 12)),
            "the label 12, not 0 to 9",
        ),
        (
            lambda folder: (folder / "train-images-idx3-ubyte").write_bytes(b"ab"),
            "unpack",
        ),
    ],
)
def test_an_mnist_folder_that_is_not_whole_is_refused(tmp_path, change, message):
    write_mnist(tmp_path, "MNIST", np.arange(10))
    change(tmp_path / "MNIST" / "raw")
    with pytest.raises(DataError) as error:
        load(Mnist(), Machine(data_dir=tmp_path))
    assert message in str(error.value)


# --- photographs ---


def write_cub(root: Path) -> Path:
    folder = root / "CUB_200_2011"
    for k in range(1, 9):
        save(folder / "images" / f"{k % 4 + 1:03}.Bird" / f"{k}.jpg", picture(k, 30, 40))
    (folder / "images.txt").write_text(
        "".join(f"{k} {k % 4 + 1:03}.Bird/{k}.jpg\n" for k in range(1, 9))
    )
    (folder / "image_class_labels.txt").write_text(
        "".join(f"{k} {k % 4 + 1}\n" for k in range(1, 9))
    )
    (folder / "train_test_split.txt").write_text(
        "".join(f"{k} {int(k < 6)}\n" for k in range(1, 9))
    )
    (folder / "classes.txt").write_text("".join(f"{k} {k:03}.Bird\n" for k in range(1, 201)))
    return folder


def test_cub200_is_read(tmp_path):
    write_cub(tmp_path)
    data = load(Cub200(size=16, crop=8), Machine(data_dir=tmp_path))
    assert data.train.labels.tolist() == [1, 2, 3, 0, 1]
    assert data.test.labels.tolist() == [2, 3, 0]
    assert data.train.images.load(np.arange(5)).shape == (5, 16, 16, 3)
    assert (data.classes, data.class_names[0]) == (200, "001.Bird")


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (
            "image_class_labels.txt",
            "1 201\n",
            "image_class_labels.txt: `201` is not a class; expected 1 to 200",
        ),
        ("train_test_split.txt", "1 1\n", "list different images"),
        ("images.txt", "1\n", "images.txt:1: `1` should be two words"),
        ("images.txt", None, "images.txt cannot be read: No such file"),
    ],
)
def test_cub200_lists_that_are_wrong_are_refused(tmp_path, file, text, message):
    path = write_cub(tmp_path) / file
    path.write_text(text) if text else path.unlink()
    with pytest.raises(DataError) as error:
        load(Cub200(), Machine(data_dir=tmp_path))
    assert message in str(error.value)


def write_clothing(root: Path, train: int = 40) -> Path:
    """14 classes; the first has most of the training images."""
    folder = root / "clothing1m"
    names = {"noisy_train": [], "clean_val": [], "clean_test": []}
    labels = {"noisy": [], "clean": []}
    for part, count in (("noisy_train", train), ("clean_val", 14), ("clean_test", 14)):
        for k in range(count):
            name = f"images/0/{part}{k}.jpg"
            save(folder / name.removeprefix("images/"), picture(k, 12, 16))
            names[part].append(name)
            labels[part.split("_")[0]].append(
                (name, max(0, k - train + 14) if part == "noisy_train" else k % 14)
            )
    for part, listed in names.items():
        (folder / f"{part}_key_list.txt").write_text("\n".join(listed))
    for kind, pairs in labels.items():
        (folder / f"{kind}_label_kv.txt").write_text(
            "".join(f"{name} {label}\n" for name, label in pairs)
        )
    return folder


def test_clothing1m_trains_without_true_labels_and_may_select_by_clean_ones(tmp_path):
    write_clothing(tmp_path)
    machine = Machine(data_dir=tmp_path)
    data = load(Clothing1M(size=12, crop=8), machine)
    assert (len(data.train), len(data.test), data.validation, data.classes) == (40, 14, None, 14)
    assert (data.train.labels == -1).all()
    assert data.train.start.tolist() == [0] * 26 + list(range(14))
    assert data.test.labels.tolist() == list(range(14))
    chosen = Clothing1M(size=12, crop=8, clean_validation=True)
    found = prepare(load(chosen, machine), chosen, NoNoise(), Streams(0), CPU, machine)
    assert len(found.train) == 40
    assert found.validation.given.tolist() == list(range(14))
    noisy = prepare(
        data,
        Clothing1M(size=12, crop=8, validation_fraction=0.25),
        NoNoise(),
        Streams(0),
        CPU,
        machine,
    )
    assert (len(noisy.train), len(noisy.validation)) == (30, 10)


def test_a_clothing1m_image_without_label_is_refused(tmp_path):
    folder = write_clothing(tmp_path)
    (folder / "clean_test_key_list.txt").write_text("images/0/other.jpg\n")
    with pytest.raises(
        DataError,
        match=r"/clean_test_key_list\.txt: images/0/other\.jpg .*clean_label_kv\.txt",
    ):
        load(Clothing1M(), Machine(data_dir=tmp_path))


@pytest.mark.parametrize("count", [14, 28, 100, 32])
def test_a_balanced_part_is_what_the_authors_loop_takes(count):
    rng = np.random.default_rng(0)
    labels = rng.choice(14, 300, p=[0.48, *[0.04] * 13])
    order = np.random.default_rng(1).permutation(300)
    taken, per_class = [], np.zeros(14)
    for row in order:
        if per_class[labels[row]] < count / 14 and len(taken) < count:
            taken.append(int(row))
            per_class[labels[row]] += 1
    assert balanced(labels, 14, count, np.random.default_rng(1)).tolist() == taken


@pytest.mark.parametrize("resident", [True, False])
def test_a_trial_on_clothing1m_judges_and_trains_on_a_part_of_its_own_in_each_epoch(
    tmp_path, resident
):
    write_clothing(tmp_path)
    config = TrialConfig.model_validate(
        {
            "data": {
                "name": "clothing1m",
                "size": 12,
                "crop": 8,
                "epoch_batches": 3,
                "clean_validation": True,
            },
            "model": {"name": "small_cnn", "width": 4},
            "train": {"epochs": 3, "batch_size": 6},
            "method": {"name": "dividemix", "warmup_epochs": 1, "lambda_u": 0},
        }
    )
    trial = Trial(config, Machine(data_dir=tmp_path, resident=resident, device="cpu"))
    rows = list(trial)
    assert [row["phase"] for row in rows] == ["warmup", "dividemix", "dividemix"]
    assert not {name for name in rows[-1] if "true" in name or "auc" in name}
    assert {"val/accuracy", "test/accuracy", "division/labeled_fraction_net1"} <= set(rows[-1])
    losses = trial.method.records[1]["loss"]
    judged = ~np.isnan(losses)
    assert judged.sum(1).tolist() == [
        15,
        15,
    ]  # two of the first class, one of each other: 18 is more than there are
    assert not np.array_equal(judged[0], judged[1])
    assert trial.samples()
    assert trial.summary()["noise_rate"] is None


def test_loss_history_over_changing_samples_is_refused(tmp_path):
    write_clothing(tmp_path)
    config = TrialConfig.model_validate(
        {
            "data": {"name": "clothing1m", "size": 12, "crop": 8},
            "method": {"name": "dividemix", "loss_history": 5},
        }
    )
    with pytest.raises(DataError, match=r"^method\.loss_history: 5 .*clothing1m.*1$"):
        Trial(config, Machine(data_dir=tmp_path))


def write_webvision(root: Path, classes: int = 21) -> None:
    lines = {"info/train_filelist_google.txt": [], "info/val_filelist.txt": []}
    for label in (*range(classes), 900):
        save(root / "webvision" / f"google/q{label}/0.jpg", picture(label, 20, 30))
        save(root / "webvision" / "val_images_256" / f"val{label}.jpg", picture(label, 20, 25))
        save(root / "imagenet" / "val" / str(label) / "x.JPEG", picture(label, 25, 20))
        lines["info/train_filelist_google.txt"].append(f"google/q{label}/0.jpg {label}")
        lines["info/val_filelist.txt"].append(f"val{label}.jpg {label}")
    (root / "webvision" / "info").mkdir()
    for name, content in lines.items():
        (root / "webvision" / name).write_text("\n".join(content))


def test_webvision_keeps_its_first_classes_and_is_tested_on_both_validation_sets(tmp_path):
    write_webvision(tmp_path)
    config = TrialConfig.model_validate(
        {
            "data": {
                "name": "webvision",
                "size": 16,
                "crop": 8,
                "classes": 21,
                "validation_fraction": 0,
            },
            "model": {"name": "small_cnn", "width": 4},
            "train": {"epochs": 1, "batch_size": 8},
            "method": {"name": "cross_entropy"},
        }
    )
    trial = Trial(config, Machine(data_dir=tmp_path, device="cpu"))
    assert (
        len(trial.data.train)
        == len(trial.data.test)
        == len(trial.data.more_tests["ilsvrc12"])
        == 21
    )
    assert trial.data.test.true.tolist() == list(range(21))
    [row] = list(trial)
    assert {"test/accuracy", "test/top5", "ilsvrc12/accuracy", "ilsvrc12/top5"} <= set(row)
    assert trial.summary()["ilsvrc12/top5"] == row["ilsvrc12/top5"]


def test_webvision_without_ilsvrc12_says_what_it_expects_or_does_without(tmp_path):
    write_webvision(tmp_path)
    machine = Machine(data_dir=tmp_path)
    (tmp_path / "imagenet" / "val" / "3" / "x.JPEG").unlink()
    with pytest.raises(
        DataError,
        match=r"/val/3 has no images; .*class 3\b.*data\.ilsvrc12: false",
    ):
        load(WebVision(classes=21), machine)
    assert load(WebVision(classes=21, ilsvrc12=False), machine).more_tests == {}
    (tmp_path / "imagenet").rename(tmp_path / "elsewhere")
    with pytest.raises(
        DataError, match=r"^webvision: .*/imagenet/val does not exist; expected .*0 … 20\b"
    ):
        load(WebVision(classes=21), machine)
