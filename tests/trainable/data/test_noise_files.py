"""Files of given labels: the authors' JSON, arrays, tables; what is wrong in them is said with its place."""

import hashlib
import json
import random

import numpy as np
import pytest

from trainable.__main__ import main
from trainable.config.data import FileNoise
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.data.arrays import Split
from trainable.data.noise import transition
from trainable.data.noise_files import read_labels, write_labels
from trainable.errors import DataError
from trainable.trial.trial import Trial

TRUE = np.array([0, 1, 2, 0])
NAMES = np.array([b"train/a/1.png", b"train/b/1.png", b"train/c/1.png", b"train/a/2.png"])
SPLIT = Split(np.zeros((4, 8, 8, 1), np.uint8), TRUE, None, NAMES)


def read(path, split=SPLIT, classes=3, names=("a", "b", "c")):
    return read_labels(path, split, classes, names)


def test_json_lists_and_arrays_have_a_label_for_every_row(tmp_path):
    (tmp_path / "l.json").write_text("[2, 1, 0, 0]")
    np.save(tmp_path / "l.npy", np.array([[2], [1], [0], [0]], np.uint8))
    for name in ("l.json", "l.npy"):
        labels = read(tmp_path / name)
        assert labels.tolist() == [2, 1, 0, 0]
        assert labels.dtype == np.int64


@pytest.mark.parametrize(
    "text",
    [
        "file,label\ntrain/a/2.png,c\nb/1.png,0\n",
        "\ufefflabel,file,who\n2,a/2.png,x\na,train/b/1.png,y\n",
        "index,label\n3,2\n1,0\n",
    ],
)
def test_a_table_changes_the_rows_that_it_names_by_file_or_index(tmp_path, text):
    (tmp_path / "l.csv").write_text(text, encoding="utf-8")
    assert read(tmp_path / "l.csv").tolist() == [0, 0, 2, 2]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("l.json", "[0, 1, 2]", r"int64 \(3,\); expected .*\b4\b"),
        ("l.json", '["a", "b", "c", "a"]', r"expected .*\b4\b"),
        ("l.json", '{"0": 1}', r"expected .*\b4\b"),
        ("l.json", "[0, 1, 3, 0]", r"row 2 .*label 3\b.*0 to 2"),
        ("l.json", "[0, -1, 2, 0]", r"row 1 .*label -1\b.*0 to 2"),
        ("l.json", "[0, 1", r"JSON list .*\.json"),
        ("l.npy", "nothing", r"integer array \(\.npy\)"),
        ("l.txt", "0", r"\.json.*\.npy.*\.csv"),
        ("l.csv", "name,label\n", r"name,label; expected file,label or index,label"),
        ("l.csv", "", r"expected file,label"),
        ("l.csv", "file,label\nx.png,0\n", r":2: `x.png` .*\b4\b"),
        ("l.csv", "index,label\n4,0\n", r":2: `4` .*\b4\b"),
        ("l.csv", "index,label\n0,1\n0,2\n", r":3: `0` .*twice"),
        ("l.csv", "index,label\n0,dog\n", r":2: `dog` .*expected a number from 0.* a, b, c"),
        ("l.csv", "index,label\n0\n", r":2: `` "),
        ("l.csv", "index,label\n0,3\n", r":2: `3` is not a class; .*0 to 2"),
        ("l.csv", "index,label\n0,-1\n", r":2: `-1` is not a class; .*0 to 2"),
        ("l.csv", "index,label\n0,1.5\n", r":2: `1.5` is not a class"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_place(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)


NUMBERED = tuple(sorted(map(str, range(12))))
"""Class folders 0 … 11 in the order of their names: 0, 1, 10, 11, 2, …"""


def test_where_names_are_numbers_a_label_is_a_name_and_never_a_position(tmp_path):
    (tmp_path / "l.csv").write_text("index,label\n0,2\n1,10\n2,11.0\n3,03\n")
    given = read(tmp_path / "l.csv", classes=12, names=NUMBERED)
    assert [NUMBERED[label] for label in given] == ["2", "10", "11", "3"]
    (tmp_path / "l.csv").write_text("index,label\n0,12\n")
    with pytest.raises(DataError, match=r":2: `12` is not a class; expected one of the names 0, 1"):
        read(tmp_path / "l.csv", classes=12, names=NUMBERED)


@pytest.mark.parametrize("name", ["l.json", "l.npy"])
@pytest.mark.parametrize("names", [NUMBERED, ("1", "2", "3")])
def test_a_list_is_refused_where_its_numbers_could_be_names_in_another_order(tmp_path, name, names):
    (tmp_path / "l.json").write_text("[0, 1, 2, 0]")
    np.save(tmp_path / "l.npy", np.array([0, 1, 2, 0]))
    with pytest.raises(DataError, match=r"at position .*file,label or index,label"):
        read(tmp_path / name, classes=len(names), names=names)


def test_a_list_is_read_where_the_names_are_the_positions(tmp_path):
    (tmp_path / "l.json").write_text("[0, 1, 2, 0]")
    for names in (("0", "1", "2"), ("00", "01", "02"), ()):
        assert read(tmp_path / "l.json", names=names).tolist() == [0, 1, 2, 0]


def test_labels_that_are_written_for_classes_with_numbers_as_names_are_read_back(tmp_path):
    given = np.array([2, 1, 0, 11])
    path = write_labels(tmp_path, config(0.1), given, NUMBERED)
    assert path.suffix == ".csv"
    assert read(path, classes=12, names=NUMBERED).tolist() == given.tolist()


def test_files_are_found_with_outer_spaces_and_in_either_normal_form(tmp_path):
    names = np.array(["train/b\u00e4r/1.png".encode(), b"train/crow /1.png", b"train/c/ 1.png"])
    split = Split(np.zeros((3, 8, 8, 1), np.uint8), np.zeros(3, np.int64), None, names)
    (tmp_path / "l.csv").write_text(
        "file,label\nba\u0308r/1.png,1\ncrow /1.png,1\nc/ 1.png,2\n", encoding="utf-8"
    )
    assert read(tmp_path / "l.csv", split).tolist() == [1, 1, 2]


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"^noise\.path: .*/l\.json does not exist"):
        read(tmp_path / "l.json")


def test_an_array_of_objects_is_refused_without_being_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return ((tmp_path / "exploded").touch, ())

    np.save(tmp_path / "l.npy", np.array([Bomb()] * 4), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / "l.npy")
    assert not (tmp_path / "exploded").exists()


def config(rate: float, seed: int = 0) -> TrialConfig:
    return TrialConfig.model_validate({"noise": {"name": "symmetric", "rate": rate}, "seed": seed})


def test_written_labels_are_read_back_and_their_names_do_not_collide(tmp_path):
    given = np.array([2, 1, 0, 0])
    paths = {
        write_labels(tmp_path, config(rate), given) for rate in (0.05, 0.1, 0.15, 0.25)
    }  # 0.1 to the authors
    paths |= {
        write_labels(tmp_path, config(0.1, seed=1), given),
        write_labels(tmp_path, config(0.1), given[::-1]),
    }
    assert len(paths) == 6
    assert min(path.name for path in paths).startswith("digits_symmetric_0.05_seed0_")
    path = write_labels(tmp_path, config(0.1), given)
    assert json.loads(path.read_text()) == [2, 1, 0, 0]
    assert read(path).tolist() == [2, 1, 0, 0]


def authors_noise(labels: list[int], rate: float, mode: str) -> list[int]:
    """What `dataloader_cifar.py` writes with `random.seed(123)`."""
    random_ = random.Random(123)
    index = list(range(len(labels)))
    random_.shuffle(index)
    chosen, target = (
        set(index[: int(rate * len(labels))]),
        {0: 0, 2: 0, 4: 7, 7: 7, 1: 1, 9: 1, 3: 5, 5: 3, 6: 6, 8: 8},
    )
    if mode == "asym":
        return [target[label] if i in chosen else label for i, label in enumerate(labels)]
    return [random_.randint(0, 9) if i in chosen else label for i, label in enumerate(labels)]


@pytest.mark.parametrize(
    ("rate", "mode"), [(0.2, "sym"), (0.5, "sym"), (0.8, "sym"), (0.4, "asym")]
)
def test_the_authors_files_for_cifar10_are_read_with_their_known_rates(
    tmp_path, vectors, cifar10_photographs, rate, mode
):
    golden = vectors["dividemix_noise_seed123"]["files"][f"cifar10_{mode}_{rate}"]
    # The labels are in the order of the Python version.
    labels = np.load(cifar10_photographs / "cifar10_jpeg.npz")["train_labels"].astype(int)
    path = tmp_path / f"{rate:.1f}_{mode}.json"
    path.write_text(json.dumps(authors_noise(labels.tolist(), rate, mode)))
    given = read(path, Split(np.zeros((50_000, 1, 1, 1), np.uint8), labels), 10, ())
    assert (given != labels).mean() == pytest.approx(golden["rate"])
    assert hashlib.sha256(given.astype(np.uint8).tobytes()).hexdigest() == golden["sha256_uint8"]
    assert 1 - np.trace(transition(labels, given, 10)) / 10 == pytest.approx(golden["rate"])


def test_a_trials_labels_are_written_from_the_command_line_and_train_the_same(tmp_path, capsys):
    content = "noise: {name: symmetric, rate: 0.5}\nseed: 4\n"
    (tmp_path / "trial.yaml").write_text(content)
    assert main([str(tmp_path / "trial.yaml"), "--noise-file", str(tmp_path / "noise")]) == 0
    [file] = (tmp_path / "noise").iterdir()
    assert capsys.readouterr().out.strip() == str(file)
    config = TrialConfig.model_validate({"noise": {"name": "symmetric", "rate": 0.5}, "seed": 4})
    again = config.model_copy(update={"noise": FileNoise(path=f"noise/{file.name}")})
    machine = Machine(study_dir=tmp_path, device="cpu")
    hashes = [Trial(each, machine).data.noise_hash for each in (config, again)]
    assert hashes[0] == hashes[1]


def test_labels_of_absent_data_are_not_written(tmp_path, capsys):
    (tmp_path / "trial.yaml").write_text("data: {name: mnist}\n")
    command = [
        str(tmp_path / "trial.yaml"),
        "--data",
        str(tmp_path),
        "--noise-file",
        str(tmp_path / "noise"),
    ]
    assert main(command) == 2
    assert "mnist: " in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([str(tmp_path / "trial.yaml")])
