"""Embeddings: every format gives the same rows; wrong files are told in a sentence."""

import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trainable.config.data import NoNoise
from trainable.config.embeddings import Embeddings
from trainable.config.runtime import Machine
from trainable.data import embeddings
from trainable.data.embedding_files import open_source
from trainable.data.features import Features
from trainable.data.registry import load
from trainable.data.splits import divide
from trainable.errors import DataError
from trainable.random_streams import Streams

N = 60
D = 7
NAMES = ("ant", "bee", "cow")


def content(dtype=np.float16, n: int = N) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(n, D)).astype(dtype)
    labels = np.arange(n) % 3
    split = np.array(["train", "train", "validation", "test"])[np.arange(n) % 4]
    ids = np.array([f"id{row}" for row in range(n)])
    return {"features": features, "labels": labels, "split": split, "ids": ids}


def read(path: Path, labels: Path | None = None, **fields):
    return embeddings.load(path, Embeddings(path=str(path), **fields), labels)


def vectors(split) -> np.ndarray:
    assert isinstance(split.images, Features)
    return split.images.load(np.arange(len(split)))


def write_csv(path: Path, arrays: dict[str, np.ndarray], **more) -> None:
    columns = {name: values for name, values in arrays.items() if name != "features"}
    pd.DataFrame({**columns, **more}).rename(columns={"labels": "label", "ids": "id"}).to_csv(
        path, index=False
    )


def in_format(form: str, folder: Path, arrays: dict[str, np.ndarray]) -> Path:
    folder.mkdir(exist_ok=True)
    features = arrays["features"]
    match form:
        case "npz":
            np.savez(folder / "f.npz", **arrays)
            return folder / "f.npz"
        case "compressed":
            np.savez_compressed(folder / "f.npz", **arrays)
            return folder / "f.npz"
        case "npy":
            np.save(folder / "f.npy", features)
            write_csv(folder / "labels.csv", arrays)
            return folder / "f.npy"
        case "lists" | "columns":
            table = {name: values for name, values in arrays.items() if name != "features"}
            if form == "lists":
                table["features"] = list(features)
            else:
                table |= {str(k): features[:, k] for k in range(D)}
            pd.DataFrame(table).to_parquet(folder / "f.parquet")
            return folder / "f.parquet"
        case "npz shards" | "parquet shards":
            for k in range(3):
                part = {name: values[20 * k : 20 * k + 20] for name, values in arrays.items()}
                kind = "npz" if form == "npz shards" else "lists"
                file = in_format(kind, folder, part)
                file.rename(folder / f"part{k}{file.suffix}")
            return folder
        case "npy shards":
            for k in range(3):
                np.save(folder / f"part{k}.npy", features[20 * k : 20 * k + 20])
            write_csv(folder / "labels.csv", arrays)
            return folder
    raise AssertionError(form)


FORMATS = (
    "npz",
    "compressed",
    "npy",
    "lists",
    "columns",
    "npz shards",
    "npy shards",
    "parquet shards",
)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("form", FORMATS)
def test_every_format_has_the_same_rows(tmp_path, form, dtype):
    arrays = content(dtype)
    path = in_format(form, tmp_path / "data", arrays)
    for _ in range(2):  # the second time from the array that the first one may have written
        data = read(path)
        for split, name in (
            (data.train, "train"),
            (data.validation, "validation"),
            (data.test, "test"),
        ):
            rows = arrays["split"] == name
            np.testing.assert_array_equal(vectors(split), arrays["features"][rows])
            np.testing.assert_array_equal(split.labels, arrays["labels"][rows])
            assert split.names.tolist() == [each.encode() for each in arrays["ids"][rows]]
        assert (data.classes, data.test_labels) == (3, "trusted")
        train = arrays["features"][arrays["split"] == "train"].astype(float)
        np.testing.assert_allclose(data.mean, train.mean(0), atol=1e-12)
        np.testing.assert_allclose(data.std, train.std(0), atol=1e-9)


@pytest.mark.parametrize("form", ["npz", "npy"])
def test_arrays_without_compression_are_mapped_and_not_copied(tmp_path, form):
    path = in_format(form, tmp_path / "data", content())
    data = read(path)
    assert isinstance(data.train.images.raw, np.memmap)
    assert data.train.images.raw.base is data.test.images.raw.base
    assert sorted(file.name for file in path.parent.iterdir()) == sorted(
        {"npz": ["f.npz"], "npy": ["f.npy", "labels.csv"]}[form]
    )


def test_what_is_compressed_is_converted_once_and_anew_when_it_changes(tmp_path):
    path = in_format("compressed", tmp_path / "data", content())
    first = read(path)
    (cache,) = path.parent.glob(".f.npz.*.npy")
    assert isinstance(first.train.images.raw, np.memmap)
    written = cache.stat().st_mtime_ns
    read(path)
    assert cache.stat().st_mtime_ns == written
    changed = content()
    changed["features"] = changed["features"][::-1].copy()
    in_format("compressed", tmp_path / "data", {**changed, "more": np.arange(3)})
    np.testing.assert_array_equal(
        vectors(read(path).train), changed["features"][changed["split"] == "train"]
    )
    (now,) = path.parent.glob(".f.npz.*.npy")
    assert now.name != cache.name


def test_a_folder_that_cannot_be_written_is_read_all_the_same(tmp_path, monkeypatch):
    path = in_format("compressed", tmp_path / "data", content())

    def full(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("trainable.data.features.shutil.disk_usage", full)
    np.testing.assert_array_equal(
        vectors(read(path).train), content()["features"][content()["split"] == "train"]
    )
    assert [file.name for file in path.parent.iterdir()] == ["f.npz"]


@pytest.mark.parametrize("form", ["npz", "npy", "lists"])
def test_labels_are_names_or_numbers(tmp_path, form):
    arrays = content()
    named = {**arrays, "labels": np.array(NAMES)[arrays["labels"]]}
    data = read(in_format(form, tmp_path / "data", named))
    assert data.class_names == NAMES
    train = arrays["split"] == "train"
    np.testing.assert_array_equal(data.train.labels, arrays["labels"][train])


def test_classes_give_the_order_of_names_and_the_names_of_numbers(tmp_path):
    order = np.array(["cow", "ant", "bee"])
    numbered = {**content(), "classes": order}
    data = read(in_format("npz", tmp_path / "a", numbered))
    assert data.class_names == ("cow", "ant", "bee")
    named = {**numbered, "labels": order[numbered["labels"]]}
    same = read(in_format("npz", tmp_path / "b", named))
    np.testing.assert_array_equal(same.train.labels, data.train.labels)


def test_true_labels_are_the_truth_and_labels_are_given(tmp_path):
    arrays = content()
    true = (arrays["labels"] + 1) % 3
    data = read(in_format("npz", tmp_path / "data", {**arrays, "true_labels": true}))
    rows = arrays["split"] == "train"
    np.testing.assert_array_equal(data.train.labels, true[rows])
    np.testing.assert_array_equal(data.train.given, arrays["labels"][rows])
    np.testing.assert_array_equal(data.test.labels, true[arrays["split"] == "test"])
    some = np.where(np.arange(N) % 8 == 7, -1, true)
    partly = read(in_format("npz", tmp_path / "other", {**arrays, "true_labels": some}))
    assert partly.test_labels == "unchecked"
    assert (partly.test.labels >= 0).all()


def test_a_part_is_held_out_where_there_is_no_test_set(tmp_path):
    arrays = content()
    arrays.pop("split")
    arrays.pop("ids")
    data = read(in_format("npz", tmp_path / "data", arrays), test_fraction=0.3)
    assert data.test_labels == "unchecked"
    assert data.train.names is None
    assert len(data.test) == len(data.held_out) == 18
    np.testing.assert_array_equal(vectors(data.test), arrays["features"][data.held_out])


@pytest.mark.parametrize("form", ["npz", "compressed", "npz shards"])
def test_a_plan_and_a_trial_agree_whether_labels_that_are_held_out_are_trusted(tmp_path, form):
    arrays = content()
    arrays.pop("split")
    trusted = set()
    for unknown in range(4):
        true = arrays["labels"].copy()
        true[unknown] = -1
        path = in_format(form, tmp_path / str(unknown), {**arrays, "true_labels": true})
        planned = embeddings.tested(path, Embeddings(path=str(path)), None)
        assert planned.labels == read(path).test_labels
        trusted.add(planned.labels)
    assert trusted == {"trusted", "unchecked"}


def test_annotators_are_columns_of_a_table_or_an_array(tmp_path):
    arrays = content()
    rng = np.random.default_rng(1)
    rated = rng.integers(-1, 3, (N, 2))
    rated[rated.max(1) < 0] = 0
    np.save(tmp_path / "f.npy", arrays["features"])
    columns = {
        f"label_{who}": ["" if each < 0 else NAMES[each] for each in rated[:, k]]
        for k, who in enumerate(("ann", "bob"))
    }
    write_csv(
        tmp_path / "labels.csv", {**arrays, "labels": np.array(NAMES)[arrays["labels"]]}, **columns
    )
    data = read(tmp_path / "f.npy")
    train = arrays["split"] == "train"
    assert data.train.ratings.annotators == ("ann", "bob")
    np.testing.assert_array_equal(data.train.ratings.labels, rated[train])
    array = read(in_format("npz", tmp_path / "a", {**arrays, "annotators": rated}))
    np.testing.assert_array_equal(array.train.ratings.labels, rated[train])


@pytest.mark.parametrize("written", ["-1", "", "-1.0"])
def test_minus_one_in_a_table_is_no_label(tmp_path, written):
    arrays = content()
    rated = np.array([["0", "1"], ["1", written], ["2", "2"]])[arrays["labels"]]
    true = np.where(np.arange(N) % 8 == 7, written, arrays["labels"].astype(str))
    np.save(tmp_path / "f.npy", arrays["features"])
    pd.DataFrame(
        {
            "label_a": rated[:, 0],
            "label_b": rated[:, 1],
            "true_label": true,
            "split": arrays["split"],
        }
    ).to_csv(tmp_path / "labels.csv", index=False)
    data = read(tmp_path / "f.npy")
    assert data.class_names == ("0", "1", "2")
    assert (data.train.ratings.labels == -1).sum() == (rated == written)[
        arrays["split"] == "train"
    ].sum()
    assert data.test_labels == "unchecked"
    (tmp_path / "labels.csv").write_text("label\n" + "0\n1\n-1\n" * 20)
    with pytest.raises(DataError, match=r"20 rows have no label: row 2 \(labels\.csv:4\)"):
        read(tmp_path / "f.npy")


def test_a_class_may_have_the_name_minus_one(tmp_path):
    names = np.array(["-1", "0", "1"])
    arrays = content()
    arrays["labels"] = names[arrays["labels"]]
    data = read(in_format("npz", tmp_path / "data", {**arrays, "classes": names}))
    assert data.class_names == ("-1", "0", "1")


def test_long_texts_do_not_widen_other_cells(tmp_path):
    arrays = content()
    np.save(tmp_path / "f.npy", arrays["features"])
    long = ["x" * 100_000, *["short"] * (N - 1)]
    pd.DataFrame({"label": arrays["labels"], "text": long}).to_csv(
        tmp_path / "labels.csv", index=False
    )
    pd.DataFrame({"label": arrays["labels"], "text": long, "f0": np.arange(N) + 1.0}).to_parquet(
        tmp_path / "f.parquet"
    )
    for path in (tmp_path / "f.npy", tmp_path / "f.parquet"):
        tracemalloc.start()
        texts = read(path).train.images.texts
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert texts.tolist() == long
        assert most < 5e6, "of 48 MB where each cell is as wide as the longest"


def test_texts_and_paths_are_read_when_they_are_shown(tmp_path):
    arrays = content()
    texts = np.array([f"text {row}" for row in range(N)])
    more = {"text": texts, "paths": np.array([f"a/{row}.png" for row in range(N)])}
    data = read(in_format("npz", tmp_path / "data", {**arrays, **more}))
    train = np.flatnonzero(arrays["split"] == "train")
    assert data.train.images.texts.tolist() == texts[train].tolist()
    assert data.train.images.file(2) == tmp_path / "data" / f"a/{train[2]}.png"
    assert data.test.images.texts.tolist() == texts[arrays["split"] == "test"].tolist()


def test_relative_paths_of_a_folder_start_at_the_folder(tmp_path):
    paths = np.array([f"a/{row}.png" for row in range(N)])
    folder = in_format("npz shards", tmp_path / "data", {**content(), "paths": paths})
    data = read(folder)
    train = np.flatnonzero(content()["split"] == "train")
    assert data.train.images.file(2) == folder / f"a/{train[2]}.png"


def test_converting_a_folder_keeps_the_array_of_a_file_with_its_name(tmp_path):
    in_format("npz shards", tmp_path / "k", content())
    file = in_format("compressed", tmp_path / "other", content()).rename(tmp_path / "k.npz")
    read(file)
    (kept,) = tmp_path.glob(".k.npz.*.npy")
    read(tmp_path / "k")
    assert kept.exists()
    assert len(list(tmp_path.glob(".k.*.npy"))) == 2


def test_the_hash_depends_on_features_and_labels_and_not_on_the_format(tmp_path):
    arrays = content()
    hashes = {read(in_format(form, tmp_path / form, arrays)).hash for form in FORMATS}
    assert len(hashes) == 1
    other = {**arrays, "features": arrays["features"].copy()}
    other["features"][0, 0] += 1
    assert read(in_format("npz", tmp_path / "other", other)).hash not in hashes


def test_a_study_reads_features_and_labels_next_to_it(tmp_path):
    arrays = content()
    np.save(tmp_path / "f.npy", arrays["features"])
    write_csv(tmp_path / "mine.csv", arrays)
    data = Embeddings(path="f.npy", labels="mine.csv", validation_fraction=0.2)
    arrays_read = load(data, Machine(study_dir=tmp_path))
    parts = divide(arrays_read, data, NoNoise(), Streams(0), tmp_path)
    assert len(parts.train.rows) == 30
    with pytest.raises(DataError, match=r"other\.csv does not exist; expected a table of labels"):
        load(data.model_copy(update={"labels": "other.csv"}), Machine(study_dir=tmp_path))


# --- wrong files ---


def changed(name: str, value) -> dict[str, np.ndarray]:
    arrays = content()
    arrays[name] = value(arrays[name].copy())
    return arrays


def put(rows, value):
    def change(array):
        array[rows] = value
        return array

    return change


@pytest.mark.parametrize("form", ["npz", "lists", "npy shards"])
@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("features", put([3, 5], np.nan), "2 of 60 rows have NaN or infinite features: row 3.*5"),
        ("features", put(4, np.inf), "1 of 60 rows have NaN or infinite features: row 4"),
        ("features", put([6, 7], 0), "2 of 60 rows have only zeros as features: row 6"),
        ("ids", put([5, 8], "same"), "ids are not unique; `same` is the id of row 5.*row 8"),
        ("split", put(2, "tset"), "row 2.*: the split is `tset`; expected train, validation or"),
        ("split", put(slice(None), "test"), "no row has the split train"),
    ],
)
def test_wrong_rows_are_named(tmp_path, form, name, change, message):
    path = in_format(form, tmp_path / "data", changed(name, change))
    with pytest.raises(DataError, match=message):
        read(path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("labels", content()["labels"][:-3], "60 rows of features, and 57 of labels"),
        (
            "labels",
            np.where(np.arange(N) % 3 == 1, 2, 0),
            "no training row of class 1; classes are",
        ),
        ("labels", np.zeros(N, int), "has one class only; at least two are needed"),
        ("labels", -np.ones(N, int), "60 rows have no label: row 0, row 1"),
        ("labels", np.linspace(0, 1, N), "labels is float64 .*; expected whole numbers or text"),
        ("labels", np.array([None] * N), "labels holds pickled Python objects"),
        ("features", np.ones((N, D), object), "features holds pickled Python objects"),
        ("features", np.ones((N, D)), r"features is float64 \(60, 7\).*astype\(np.float32\)"),
        ("features", np.ones(N, np.float32), r"expected float16 or float32 \(rows, features\)"),
        ("features", np.ones((D, N), np.float32).T, "features is in Fortran order"),
        ("classes", np.array(["a", "a", "b"]), "expected a different text for each class"),
        ("classes", np.array(["a", "b"]), "row 2: 2.*; expected one of a, b"),
        ("true_labels", np.array(["x"] * N), "true_labels are names, and other labels are numbers"),
        ("label", content()["labels"], "has labels and label, two names of the same column"),
        ("text", np.array(["a"] * N, object), "text holds pickled Python objects.*dtype=str"),
        ("text", np.array(["a"] * 40), "60 rows of features, and 40 of text"),
        ("paths", np.ones(N), r"paths is float64 \(60,\); expected whole numbers or text, one a"),
        ("paths", np.array([["a", "b"]] * N), r"paths is <U1 \(60, 2\); expected"),
        ("ids", np.array([f"\ud800{row}" for row in range(N)]), r"row 0: ids has '\\ud8000'; exp"),
        ("annotators", np.ones(N, int), r"annotators is int64 \(60,\); expected .*a column for"),
    ],
)
def test_wrong_arrays_are_named(tmp_path, name, value, message):
    path = tmp_path / "f.npz"
    np.savez(path, **{**content(), name: value})
    with pytest.raises(DataError, match=message):
        read(path)


def test_texts_of_another_number_in_a_shard_are_named(tmp_path):
    np.savez(tmp_path / "a.npz", **content(), text=np.array(["a"] * N))
    np.savez(tmp_path / "b.npz", **content(), text=np.array(["a"] * 20))
    with pytest.raises(DataError, match=r"b\.npz: text has 20 rows, and features 60"):
        read(tmp_path)
    np.savez(tmp_path / "b.npz", **content(), text=np.array([["a"]] * N))
    with pytest.raises(DataError, match="text has other columns in some files than in others"):
        read(tmp_path)


@pytest.mark.parametrize("columns", ["label", "label_a,label_b"])
def test_tables_without_any_label_are_named(tmp_path, columns):
    np.save(tmp_path / "f.npy", content()["features"])
    row = ",".join(['""'] * len(columns.split(",")))
    (tmp_path / "labels.csv").write_text(f"{columns}\n" + f"{row}\n" * N)
    with pytest.raises(DataError, match=r"f\.npy: 60 rows have no label: row 0 .*each row needs"):
        read(tmp_path / "f.npy")


def test_annotators_without_any_label_are_named(tmp_path):
    arrays = content()
    arrays.pop("labels")
    np.savez(tmp_path / "f.npz", **arrays, annotators=np.full((N, 2), -1))
    with pytest.raises(DataError, match=r"f\.npz: 60 rows have no label: row 0"):
        read(tmp_path / "f.npz")


def test_an_empty_cell_of_unsigned_numbers_is_no_label(tmp_path):
    true = pd.array([0, 1, 2, None] * 15, dtype="UInt8")
    table = pd.DataFrame({"f0": np.arange(N) + 1.0, "label": np.arange(N) % 3, "true_label": true})
    table.to_parquet(tmp_path / "f.parquet")
    data = read(tmp_path / "f.parquet")
    assert (data.train.labels < 0).sum() == 15


def test_a_table_has_no_column_of_classes(tmp_path):
    np.save(tmp_path / "f.npy", np.ones((3, 2), np.float32))
    (tmp_path / "labels.csv").write_text("label,classes\n0,a\n1,b\n2,c\n")
    with pytest.raises(DataError, match=r"labels\.csv: names of classes are read from the array"):
        read(tmp_path / "f.npy")


def test_a_damaged_first_page_is_named(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"f0": rng.normal(size=4000), "label": np.arange(4000) % 3})
    table.to_parquet(tmp_path / "f.parquet")
    whole = bytearray((tmp_path / "f.parquet").read_bytes())
    whole[4:40] = bytes(36)
    (tmp_path / "f.parquet").write_bytes(whole)
    with pytest.raises(DataError, match=r"f\.parquet is damaged"):
        read(tmp_path / "f.parquet")


def test_missing_arrays_and_columns_are_named(tmp_path):
    np.savez(tmp_path / "a.npz", labels=np.arange(3))
    with pytest.raises(DataError, match="the array `features` is missing; it has labels"):
        read(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", features=np.ones((3, 2), np.float32))
    with pytest.raises(DataError, match="has features and no other column; expected labels too"):
        read(tmp_path / "b.npz")
    np.save(tmp_path / "c.npy", np.ones((3, 2), np.float32))
    with pytest.raises(DataError, match=r"labels\.csv does not exist; expected a table with the"):
        read(tmp_path / "c.npy")
    (tmp_path / "labels.csv").write_text("name\na\nb\nc\n")
    with pytest.raises(DataError, match="the first line is name; expected the column label"):
        read(tmp_path / "c.npy")
    (tmp_path / "labels.csv").write_text("label,id\na,1\nb\n")
    with pytest.raises(DataError, match=r"labels\.csv:3: the row has 1 cells"):
        read(tmp_path / "c.npy")
    (tmp_path / "labels.csv").write_text("label\na\nb\n")
    with pytest.raises(DataError, match=r"3 rows of features, and .*labels.csv has 2 rows"):
        read(tmp_path / "c.npy")


@pytest.mark.parametrize("form", FORMATS)
def test_truncated_files_are_named_and_leave_no_array(tmp_path, form):
    path = in_format(form, tmp_path / "data", content())
    folder = tmp_path / "data"
    file = path if path.is_file() else sorted(folder.glob("part*"))[1]
    whole = file.read_bytes()
    for kept in (len(whole) - 100, len(whole) // 2, 40, 0):
        file.write_bytes(whole[:kept])
        with pytest.raises(DataError, match=file.name):
            read(path)
    assert not list(folder.glob(".*"))


def test_damaged_compressed_features_leave_no_array(tmp_path):
    path = in_format("compressed", tmp_path / "data", content(np.float32, n=4000))
    whole = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("features.npy")
    middle = info.header_offset + info.compress_size // 2
    whole[middle : middle + 64] = bytes(64)
    path.write_bytes(whole)
    with pytest.raises(DataError, match="features cannot be read"):
        read(path)
    assert not list(path.parent.glob(".*"))


def test_shards_of_other_widths_and_columns_are_named(tmp_path):
    one = content()
    np.savez(tmp_path / "a.npz", **one)
    np.savez(tmp_path / "b.npz", **{**one, "features": np.ones((N, 3), np.float16)})
    with pytest.raises(DataError, match=r"b.npz has 3 features of float16, and .*a.npz 7"):
        read(tmp_path)
    np.savez(tmp_path / "b.npz", features=one["features"], labels=one["labels"])
    with pytest.raises(DataError, match=r"only one of .*a.npz and .*b.npz has: ids, split"):
        read(tmp_path)
    (tmp_path / "b.npz").rename(tmp_path / "b.npy")
    with pytest.raises(DataError, match=r"has files \.npy and \.npz; expected one kind"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["f1", "f0", "label_a", "label_b"], "column of features 1 is f1 in .*b.p.*, and f0 in"),
        (["f0", "f1", "label_b", "label_a"], "annotator 1 is b in .*b.parquet, and a in .*a.p"),
        (["f0", "f1", "label_a"], "annotator 2 is absent in .*b.parquet, and b in .*a.parquet"),
    ],
)
def test_shards_with_columns_in_another_order_are_refused(tmp_path, columns, message):
    values = {"f0": [1.0, 2.0], "f1": [3.0, 4.0], "label_a": [0, 1], "label_b": [1, 1]}
    table = pd.DataFrame(values)
    table.to_parquet(tmp_path / "a.parquet")
    table.to_parquet(tmp_path / "b.parquet")
    assert len(open_source(tmp_path).column("annotators")) == 4
    table[columns].to_parquet(tmp_path / "b.parquet")
    with pytest.raises(DataError, match=message):
        open_source(tmp_path)


def test_shards_with_classes_in_another_order_are_refused(tmp_path):
    arrays = content()
    np.savez(tmp_path / "a.npz", **arrays, classes=np.array(NAMES))
    arrays["ids"] = np.char.add(arrays["ids"], "b")
    np.savez(tmp_path / "b.npz", **arrays, classes=np.array(NAMES, "S3"))
    assert read(tmp_path).class_names == NAMES
    np.savez(tmp_path / "b.npz", **arrays, classes=np.array(NAMES[::-1]))
    with pytest.raises(DataError, match=r"class 1 is cow in .*b\.npz, and ant in .*a\.npz; all"):
        read(tmp_path)
    for name, annotators in (("a", 2), ("b", 3)):
        np.savez(tmp_path / f"{name}.npz", **arrays, annotators=np.zeros((N, annotators), int))
    with pytest.raises(DataError, match=r"annotator 3 is 3 in .*b\.npz, and absent in .*a\.npz"):
        read(tmp_path)


def test_parquet_lists_of_other_lengths_are_named(tmp_path):
    lists = [[1.0, 2.0]] * 5 + [[1.0]] + [[1.0, 2.0]]
    pd.DataFrame({"features": lists, "label": [0, 1, 0, 1, 0, 1, 0]}).to_parquet(
        tmp_path / "f.parquet"
    )
    with pytest.raises(DataError, match="row 5 has 1 features, and row 0 has 2"):
        read(tmp_path / "f.parquet")


def test_copies_in_the_test_set_are_refused(tmp_path):
    arrays = content()
    train, test = (np.flatnonzero(arrays["split"] == name) for name in ("train", "test"))
    arrays["features"][test] = arrays["features"][train[: len(test)]]
    with pytest.raises(DataError, match="15 of 15 test rows are training rows"):
        read(in_format("npz", tmp_path / "data", arrays))
