"""Files with the labels of several annotators: tables, arrays, and what is wrong in them."""

import numpy as np
import pytest

from tests.trainable.data.test_noise_files import NUMBERED, SPLIT
from trainable.config.given_labels import labels_hash
from trainable.data.annotator_files import from_array, read_ratings
from trainable.errors import DataError

CLASSES = ("a", "b", "c")


def read(path, names=CLASSES, expected=None):
    return read_ratings(path, SPLIT, len(names), names, expected)


@pytest.mark.parametrize(
    "text",
    [
        "file,ann,bob,cy\ntrain/a/1.png,a,b,\nb/1.png,1,,1\na/2.png,c,c,c\n",
        "\ufeffann,bob,index,cy\n0,1,0,\n1,,1,b\n2, c ,3,c\n",
    ],
)
def test_a_table_has_a_column_for_each_annotator(tmp_path, text):
    (tmp_path / "l.csv").write_text(text, encoding="utf-8")
    found = read(tmp_path / "l.csv")
    assert found.annotators == ("ann", "bob", "cy")
    assert found.labels.tolist() == [[0, 1, -1], [1, -1, 1], [-1, -1, -1], [2, 2, 2]]


def test_an_array_has_a_column_for_each_annotator(tmp_path):
    np.save(tmp_path / "l.npy", np.array([[0, 1], [1, -1], [2, 2], [0, 0]], np.int8))
    found = read(tmp_path / "l.npy")
    assert found.annotators == ("1", "2")
    assert found.labels.tolist() == [[0, 1], [1, -1], [2, 2], [0, 0]]
    assert found.labels.dtype == np.int64


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("l.csv", "", r"first line is ; expected file or index, and a column"),
        ("l.csv", "ann,bob\n0,0\n", r"first line is ann,bob; expected file or index"),
        ("l.csv", "index\n0\n", r"first line is index; expected .*each annotator"),
        ("l.csv", "index,ann,ann\n0,1,2\n", r"all with different names"),
        ("l.csv", "index,ann\n4,0\n", r":2: `4` is not among the 4 training images"),
        ("l.csv", "index,ann\n1,0\n1,0\n", r":3: `1` is listed twice"),
        ("l.csv", "index,ann,bob\n1,0,dog\n", r":2: bob: `dog` is not a class; .*or nothing"),
        ("l.csv", "index,ann\n1,-1\n", r":2: ann: `-1` is not a class"),
        ("l.npy", "nothing", r"cannot be read as .*\(\.npy\)"),
        ("l.json", "[[0]]", r"labels of annotators are a table .*\.csv.*\.npy"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_place(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((3, 2), int), r"^x is int64 \(3, 2\); expected integers \(4, annotators\)"),
        (np.zeros(4, int), r"^x is int64 \(4,\)"),
        (np.zeros((4, 0), int), r"^x is int64 \(4, 0\)"),
        (np.zeros((4, 2)), r"^x is float64"),
        (np.array([[0, 0], [0, 3]] * 2), r"^x: row 1 has the label 3 by annotator 2; .*0 to 2"),
        (np.array([[0, -2]] * 4), r"^x: row 0 has the label -2 by annotator 2"),
    ],
)
def test_what_is_wrong_in_an_array_is_said_with_its_place(labels, message):
    with pytest.raises(DataError, match=message):
        from_array(labels, 4, 3, "x")


def test_an_array_is_refused_where_its_numbers_could_be_names_in_another_order(tmp_path):
    np.save(tmp_path / "l.npy", np.zeros((4, 2), int))
    with pytest.raises(DataError, match=r"at position .*file,label or index,label"):
        read(tmp_path / "l.npy", NUMBERED)


def test_a_file_is_that_which_the_study_was_read_with(tmp_path):
    (tmp_path / "l.csv").write_text("index,ann\n0,1\n")
    expected = labels_hash(tmp_path / "l.csv")
    assert read(tmp_path / "l.csv", expected=expected).labels[0] == 1
    (tmp_path / "l.csv").write_text("index,ann\n0,2\n")
    with pytest.raises(DataError, match="other labels than when the study was read"):
        read(tmp_path / "l.csv", expected=expected)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"^noise\.path: .*/l\.csv does not exist"):
        read(tmp_path / "l.csv")
