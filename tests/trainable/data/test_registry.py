"""Reading data sets: what is accepted, and a sentence for everything that is not."""

import io
import itertools
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from trainable.config.data import Cifar10, Digits, Npz
from trainable.config.runtime import Machine
from trainable.data.arrays import Arrays
from trainable.data.registry import load
from trainable.errors import DataError

# --- digits ---


@pytest.fixture(scope="module")
def digits() -> Arrays:
    return load(Digits(), Machine())


def test_digits_are_1437_training_and_360_test_images_of_all_classes(digits):
    assert digits.train.images.shape == (1437, 8, 8, 1)
    assert digits.test.images.shape == (360, 8, 8, 1)
    assert (len(digits.train), len(digits.test), digits.validation, digits.classes) == (
        1437,
        360,
        None,
        10,
    )
    assert set(np.bincount(digits.test.labels)) <= {
        35,
        36,
        37,
    }  # stratified: a fifth of 174 to 183 images a class


def test_digits_are_those_of_scikit_learn_scaled_to_bytes(digits):
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    want = np.column_stack([labels, np.rint(images * 255 / 16)]).astype(int)
    have = np.concatenate(
        [np.column_stack([s.labels, s.images.reshape(-1, 64)]) for s in (digits.train, digits.test)]
    )
    assert sorted(have.tolist()) == sorted(
        want.tolist()
    )  # every image once, in one of the two splits


def test_the_digits_split_is_the_same_every_time(digits):
    np.random.seed(1)  # noqa: NPY002 (the split must not listen to it)
    again = load(Digits(), Machine())
    assert again.hash == digits.hash
    assert np.array_equal(again.test.images, digits.test.images)


def test_images_are_measured_by_their_own_training_pixels(digits):
    pixels = digits.train.images / 255
    assert digits.mean == pytest.approx((pixels.mean(),))
    assert digits.std == pytest.approx((pixels.std(),))


# --- npz ---


def arrays(
    n: int = 12, test: int = 6, shape: tuple[int, ...] = (8, 8, 3), classes: int = 3
) -> dict[str, np.ndarray]:
    """Content of a good file."""
    rng = np.random.default_rng(0)
    return {
        "train_images": rng.integers(0, 256, (n, *shape), dtype=np.uint8),
        "train_labels": np.arange(n) % classes,
        "test_images": rng.integers(0, 256, (test, *shape), dtype=np.uint8),
        "test_labels": np.arange(test) % classes,
    }


def with_validation(n: int = 5) -> dict[str, np.ndarray]:
    return arrays() | {
        "val_images": np.full((n, 8, 8, 3), 7, np.uint8),
        "val_labels": np.arange(n) % 3,
    }


def read(folder: Path, content: dict[str, np.ndarray]) -> Arrays:
    np.savez(folder / "data.npz", **content)
    return load(Npz(path="data.npz"), Machine(study_dir=folder))


def refusal(folder: Path, content: dict[str, np.ndarray]) -> str:
    """The message with which a file of this content is refused."""
    with pytest.raises(DataError) as error:
        read(folder, content)
    assert str(error.value).startswith(str(folder / "data.npz"))
    return str(error.value)


@pytest.mark.parametrize("columns", [False, True])
def test_colour_images_and_both_shapes_of_labels_are_read(tmp_path, columns):
    content = arrays()
    if columns:  # as MedMNIST stores them
        content |= {
            name: content[name][:, None].astype(np.uint8)
            for name in ("train_labels", "test_labels")
        }
    data = read(tmp_path, content)
    assert np.array_equal(data.train.images, content["train_images"])
    assert data.train.labels.tolist() == [0, 1, 2] * 4
    assert data.train.labels.dtype == np.int64
    assert data.test.labels.tolist() == [0, 1, 2] * 2
    assert (data.validation, data.classes) == (None, 3)


def test_grey_images_without_a_channel_axis_get_one(tmp_path):
    content = arrays(shape=(9, 11))
    data = read(tmp_path, content)
    assert data.train.images.shape == (12, 9, 11, 1)
    assert np.array_equal(data.train.images[..., 0], content["train_images"])
    assert data.test.images.shape == (6, 9, 11, 1)


def test_each_channel_is_measured_by_itself(tmp_path):
    content = arrays()
    content["train_images"][..., 1] //= 4
    data = read(tmp_path, content)
    pixels = (content["train_images"] / 255).reshape(-1, 3)
    assert data.mean == pytest.approx(pixels.mean(0))
    assert data.std == pytest.approx(pixels.std(0))


def test_images_of_one_colour_do_not_divide_by_zero(tmp_path):
    content = arrays() | {"train_images": np.full((12, 8, 8, 3), 100, np.uint8)}
    data = read(tmp_path, content)
    assert data.mean == pytest.approx((100 / 255,) * 3)
    assert min(data.std) > 0


def test_a_validation_set_of_its_own_is_read(tmp_path):
    data = read(tmp_path, with_validation())
    assert data.validation is not None
    assert data.validation.labels.tolist() == [0, 1, 2, 0, 1]
    assert (data.validation.images == 7).all()


def test_an_empty_validation_set_counts_as_none(tmp_path):
    assert read(tmp_path, with_validation(0)).validation is None


def test_arrays_that_are_not_needed_are_ignored(tmp_path):
    assert read(tmp_path, arrays() | {"notes": np.arange(3)}).classes == 3


def test_the_path_starts_at_the_folder_of_the_study_file(tmp_path):
    (tmp_path / "sub").mkdir()
    np.savez(tmp_path / "sub" / "d.npz", **arrays())
    assert load(Npz(path="sub/d.npz"), Machine(study_dir=tmp_path)).classes == 3
    absolute = str(tmp_path / "sub" / "d.npz")
    assert load(Npz(path=absolute), Machine(study_dir=Path("/nowhere"))).classes == 3


def test_the_hash_follows_every_pixel_and_label(tmp_path):
    hashes = [read(tmp_path, arrays()).hash, read(tmp_path, arrays()).hash]
    assert hashes[0] == hashes[1]
    for name in with_validation():
        content = with_validation()
        content[name] = content[name].copy()
        content[name].flat[0] ^= 1
        hashes.append(read(tmp_path, content).hash)
    hashes.append(read(tmp_path, with_validation()).hash)
    assert len(set(hashes[1:])) == len(hashes) - 1


@pytest.mark.parametrize("name", ["train_images", "train_labels", "test_images", "test_labels"])
def test_a_missing_array_is_named_with_those_that_are_there(tmp_path, name):
    content = arrays()
    del content[name]
    assert refusal(tmp_path, content).endswith(
        f"the array `{name}` is missing; it has {', '.join(sorted(content))}"
    )


def test_a_file_without_arrays_says_so(tmp_path):
    assert refusal(tmp_path, {}).endswith("the array `train_images` is missing; it has none")


@pytest.mark.parametrize(
    ("there", "missing"), [("val_labels", "val_images"), ("val_images", "val_labels")]
)
def test_half_a_validation_set_is_refused(tmp_path, there, missing):
    content = arrays() | {there: with_validation()[there]}
    assert f"the array `{missing}` is missing" in refusal(tmp_path, content)


@pytest.mark.parametrize("name", ["train", "val", "test"])
@pytest.mark.parametrize(
    "images",
    [
        np.zeros((5, 8, 8, 3), np.float32),
        np.zeros((5, 8, 8, 3), np.int64),
        np.zeros((5, 8, 8, 4), np.uint8),
        np.zeros((5, 3, 8, 8), np.uint8),
        np.zeros((5, 64), np.uint8),
        np.zeros((5, 1, 8, 8, 3), np.uint8),
        np.uint8(3),
    ],
    ids=lambda images: f"{images.dtype}{images.shape}",
)
def test_images_of_a_wrong_type_or_shape_are_refused_with_both(tmp_path, name, images):
    message = refusal(tmp_path, with_validation() | {f"{name}_images": images})
    assert f"{name}_images is {images.dtype} " in message
    assert "expected uint8 (n, height, width)" in message


@pytest.mark.parametrize("name", ["train", "val", "test"])
@pytest.mark.parametrize(
    "labels",
    [
        np.arange(4),
        np.zeros((5, 2), int),
        np.zeros(5, np.float32),
        np.zeros(5, bool),
        np.array(list("abcde")),
        np.array(3),
    ],
    ids=lambda labels: f"{labels.dtype}{labels.shape}",
)
def test_labels_of_a_wrong_type_shape_or_number_are_refused(tmp_path, name, labels):
    content = with_validation() | {
        f"{name}_images": np.zeros((5, 8, 8, 3), np.uint8),
        f"{name}_labels": labels,
    }
    message = refusal(tmp_path, content)
    assert f"{name}_labels is {labels.dtype} {labels.shape}; expected" in message
    assert " 5 images" in message


def test_an_empty_training_set_is_refused(tmp_path):
    content = arrays()
    content |= {name: content[name][:0] for name in ("train_images", "train_labels")}
    assert "train_images is empty" in refusal(tmp_path, content)


def test_an_empty_test_set_is_none_and_half_of_one_is_refused(tmp_path):
    content = arrays(30)
    assert read(tmp_path, content).held_out is None
    content["test_images"] = content["test_images"][:0]
    assert "test_labels" in (told := refusal(tmp_path, content))
    assert "one integer class for each of the 0 images" in told
    content["test_labels"] = content["test_labels"][:0]
    assert len(read(tmp_path, content).held_out) == 6


@pytest.mark.parametrize("name", ["train", "val", "test"])
def test_a_negative_class_is_refused(tmp_path, name):
    content = with_validation()
    content[f"{name}_labels"][2] = -2
    assert re.search(rf"{name}_labels .* -2\b", refusal(tmp_path, content))


@pytest.mark.parametrize("name", ["val", "test"])
def test_a_class_that_training_never_sees_is_refused(tmp_path, name):
    content = with_validation()
    content[f"{name}_labels"][1] = 3
    assert re.search(rf"{name}_labels has class 3\b.*train_labels", refusal(tmp_path, content))


@pytest.mark.parametrize(("labels", "absent"), [([1, 2, 3], "0"), ([0, 2, 4], "1, 3")])
def test_classes_without_an_image_are_refused(tmp_path, labels, absent):
    content = arrays()
    content["train_labels"] = np.resize(labels, 12)
    content["test_labels"] = np.resize(labels, len(content["test_labels"]))
    assert f"no image of class {absent}, and class {labels[-1]}" in refusal(tmp_path, content)


def test_a_label_that_no_class_can_have_is_refused(tmp_path):
    content = arrays()
    content["train_labels"][3] = 99_999
    assert re.search(r"train_labels has class 99999\b.* 12 images", refusal(tmp_path, content))


def test_a_single_class_is_refused(tmp_path):
    content = arrays(classes=1)
    assert "train_labels has one class only" in refusal(tmp_path, content)


@pytest.mark.parametrize("name", ["val", "test"])
@pytest.mark.parametrize("shape", [(8, 9, 3), (8, 8, 1)])
def test_splits_of_different_image_size_are_refused_with_both_sizes(tmp_path, name, shape):
    content = with_validation()
    content[f"{name}_images"] = np.zeros((len(content[f"{name}_labels"]), *shape), np.uint8)
    assert f"{name}_images are {shape} and train_images (8, 8, 3)" in refusal(tmp_path, content)


def test_a_pickled_array_is_refused_without_being_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "exploded",))

    assert "Object arrays" in refusal(
        tmp_path, arrays() | {"train_labels": np.array([Bomb()] * 12)}
    )
    assert not (tmp_path / "exploded").exists()


def as_bytes(save, **content) -> bytes:
    buffer = io.BytesIO()
    save(buffer, **content)
    return buffer.getvalue()


def other_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("train_images", b"not an array")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        pickle.dumps([1, 2]),
        as_bytes(np.savez, **arrays())[:-40],
        as_bytes(np.save, arr=np.arange(3)),
        other_zip(),
    ],
    ids=["empty", "text", "pickle", "truncated", "npy", "zip"],
)
def test_a_file_that_is_not_an_npz_is_refused(tmp_path, content):
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"data\.npz"):
        load(Npz(path="data.npz"), Machine(study_dir=tmp_path))


def test_a_damaged_file_is_refused_wherever_the_damage_is(tmp_path):
    good = as_bytes(np.savez_compressed, **arrays())
    refused = 0
    for position, bits in zip(range(0, len(good), 11), itertools.cycle((0x55, 0x01)), strict=False):
        damaged = bytearray(good)
        damaged[position] ^= bits
        (tmp_path / "data.npz").write_bytes(damaged)
        try:
            load(Npz(path="data.npz"), Machine(study_dir=tmp_path))
        except DataError:
            refused += 1  # anything else is a traceback for the user
    assert refused > 100


def test_a_folder_is_not_an_npz(tmp_path):
    with pytest.raises(DataError, match=re.escape(str(tmp_path))):
        load(Npz(path="."), Machine(study_dir=tmp_path))


def test_an_absent_npz_is_named_with_what_it_should_hold(tmp_path):
    with pytest.raises(DataError) as error:
        load(Npz(path="absent.npz"), Machine(study_dir=tmp_path))
    assert str(error.value).startswith(f"npz: {tmp_path / 'absent.npz'} does not exist; expected")


# --- npz with noisy labels ---


def test_noisy_labels_are_given_in_addition_to_the_true_ones(tmp_path):
    noisy = (np.arange(12) + 1) % 3
    data = read(
        tmp_path,
        with_validation()
        | {"train_noisy_labels": noisy[:, None], "val_noisy_labels": np.zeros(5, int)},
    )
    assert data.train.labels.tolist() == [0, 1, 2] * 4
    assert data.train.given.tolist() == noisy.tolist()
    assert data.validation.given.tolist() == [0] * 5
    assert data.hash != read(tmp_path, with_validation()).hash


@pytest.mark.parametrize(
    ("noisy", "message"),
    [
        (np.zeros(11, int), r"train_noisy_labels is int64 \(11,\); expected .* 12 images"),
        (np.full(12, 3), r"train_noisy_labels has class 3\b"),
        (np.full(12, -1), r"train_noisy_labels .* -1\b"),
    ],
)
def test_noisy_labels_that_do_not_fit_are_refused(tmp_path, noisy, message):
    assert re.search(message, refusal(tmp_path, arrays() | {"train_noisy_labels": noisy}))


def test_untrusted_labels_are_given_and_nothing_is_true(tmp_path):
    np.savez(tmp_path / "data.npz", **with_validation())
    machine = Machine(study_dir=tmp_path)
    data = load(Npz(path="data.npz", labels_are_true=False), machine)
    assert (data.train.labels == -1).all()
    assert data.train.given.tolist() == [0, 1, 2] * 4
    assert (data.validation.labels == -1).all()
    assert (data.test.labels >= 0).all()
    trusted = load(Npz(path="data.npz", labels_are_true=False, clean_validation=True), machine)
    assert trusted.validation.labels.tolist() == [0, 1, 2, 0, 1]
    np.savez(tmp_path / "data.npz", **arrays(), train_noisy_labels=np.zeros(12, int))
    with pytest.raises(DataError, match=r"train_noisy_labels.*data\.labels_are_true"):
        load(Npz(path="data.npz", labels_are_true=False), machine)


# --- CIFAR-10 ---

FOLDER = "cifar-10-batches-py"


def write_cifar10(root: Path, per_batch: int = 4) -> dict[str, np.ndarray]:
    """Files in the layout of cifar-10-python.tar.gz: rows of 3072 bytes, red, green, blue plane."""
    rng = np.random.default_rng(0)
    (root / FOLDER).mkdir(parents=True)
    rows, labels = [], []
    for name in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"):
        rows.append(rng.integers(0, 256, (per_batch, 3072), dtype=np.uint8))
        labels.append(rng.integers(0, 10, per_batch))
        batch = {"batch_label": name, "data": rows[-1], "labels": labels[-1].tolist()}
        (root / FOLDER / name).write_bytes(pickle.dumps(batch, protocol=2))
    (root / FOLDER / "batches.meta").write_bytes(
        pickle.dumps({"label_names": [f"class {c}" for c in range(10)]})
    )
    return {
        "train_images": np.concatenate(rows[:5]),
        "train_labels": np.concatenate(labels[:5]),
        "test_images": rows[5],
        "test_labels": labels[5],
    }


def test_a_cifar10_folder_in_the_true_layout_is_read(tmp_path, monkeypatch):
    import torchvision.datasets.cifar

    # The files are made up, so their checksums are not the published ones.
    monkeypatch.setattr(
        torchvision.datasets.cifar, "check_integrity", lambda path, md5=None: Path(path).is_file()
    )
    content = write_cifar10(tmp_path)
    data = load(Cifar10(), Machine(data_dir=tmp_path))
    for split, name in ((data.train, "train"), (data.test, "test")):
        planes = content[f"{name}_images"].reshape(-1, 3, 32, 32)
        assert np.array_equal(split.images, planes.transpose(0, 2, 3, 1))
        assert np.array_equal(split.labels, content[f"{name}_labels"])
        assert split.labels.dtype == np.int64
    assert (len(data.train), len(data.test), data.validation, data.classes) == (20, 4, None, 10)
    assert data.mean == (0.4914, 0.4822, 0.4465)  # of the authors' code
    assert data.std == (0.2023, 0.1994, 0.2010)


def test_an_absent_cifar10_is_reported_with_the_folder_that_was_expected(tmp_path):
    with pytest.raises(DataError) as error:
        load(Cifar10(), Machine(data_dir=tmp_path))
    assert str(error.value).startswith(f"cifar10: {tmp_path / FOLDER} does not exist; expected")


@pytest.mark.parametrize("damage", ["missing batch", "changed bytes", "empty folder"])
def test_a_cifar10_folder_that_is_not_whole_is_refused(tmp_path, damage):
    if damage == "empty folder":
        (tmp_path / FOLDER).mkdir()
    else:
        write_cifar10(tmp_path)  # the checksums are not the published ones
    if damage == "missing batch":
        (tmp_path / FOLDER / "data_batch_3").unlink()
    with pytest.raises(DataError) as error:
        load(Cifar10(), Machine(data_dir=tmp_path))
    assert str(error.value).startswith(f"cifar10: {tmp_path / FOLDER} ")
    assert "unpack cifar-10-python.tar.gz" in str(error.value)
