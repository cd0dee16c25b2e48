"""Files of given labels are the same if their labels are, however they are written."""

import json
from pathlib import Path

import numpy as np
import pytest

from trainable.config.given_labels import labels_hash

LABELS = [0, 2, 1, 1]
TABLE = "file,label\na.png,cat\nb.png,dog\n"


def hashed(folder: Path, name: str, content: bytes) -> str:
    path = folder / name
    path.write_bytes(content)
    return labels_hash(path)


def test_lists_are_compared_as_numbers(tmp_path):
    as_json = hashed(tmp_path, "a.json", json.dumps(LABELS).encode())
    assert hashed(tmp_path, "b.json", json.dumps(LABELS, indent=1).encode()) == as_json
    for dtype in (np.int64, np.uint8):
        np.save(tmp_path / "c.npy", np.array(LABELS, dtype))
        assert labels_hash(tmp_path / "c.npy") == as_json
    np.save(tmp_path / "d.npy", np.array([LABELS]).T)
    assert labels_hash(tmp_path / "d.npy") == as_json
    assert hashed(tmp_path, "e.json", json.dumps(LABELS[::-1]).encode()) != as_json


@pytest.mark.parametrize(
    "content",
    [
        TABLE.replace("\n", "\r\n").encode(),
        TABLE.encode("utf-8-sig"),
        b"file,label\nb.png,dog\na.png,cat\n",
        b'file,label\n"a.png"," cat "\nb.png,dog',
    ],
)
def test_tables_are_compared_by_their_rows(tmp_path, content):
    assert hashed(tmp_path, "b.csv", content) == hashed(tmp_path, "a.csv", TABLE.encode())


def test_other_labels_are_another_file(tmp_path):
    first = hashed(tmp_path, "a.csv", TABLE.encode())
    assert hashed(tmp_path, "b.csv", TABLE.replace("dog", "cat").encode()) != first
    assert hashed(tmp_path, "b.csv", b"file,label\na.png,cat\n") != first


@pytest.mark.parametrize("name", ["a.json", "a.npy", "a.csv", "a.txt"])
def test_what_cannot_be_read_is_compared_by_its_bytes(tmp_path, name):
    broken = hashed(tmp_path, name, b"\x93NUMPY\xff{")
    assert hashed(tmp_path, "b" + name, b"\x93NUMPY\xff{") == broken
    assert hashed(tmp_path, "c" + name, b"\x93NUMPY\xff[") != broken


def test_a_file_is_read_again_when_it_changes(tmp_path):
    before = hashed(tmp_path, "a.json", b"[0, 1]")
    assert hashed(tmp_path, "a.json", b"[0, 1, 1]") != before


def test_an_absent_file_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        labels_hash(tmp_path / "absent.json")
