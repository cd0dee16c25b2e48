"""Two studies side by side, and the command that prints them."""

import json
import shutil

import numpy as np
import pytest

from analysis.report import between_studies, cells
from tests.analysis.conftest import StudyFolder
from trainable.storage.checksums import read_signed, signed


@pytest.fixture
def other(study, tmp_path):
    return StudyFolder(tmp_path / "other")


def joined(first, second):
    return {
        row["arm"]: row
        for row in between_studies.join(first.read(), second.read()).to_dict("records")
    }


def test_arms_of_both_are_joined_on_the_same_seeds(study, other):
    study.arm("baseline", 70.0, 71.0, "failed", 73.0).arm("gone", 1.0)
    other.arm("new", 1.0).arm("baseline", 71.0, 74.0, 99.0, "missing")
    found = joined(study, other)
    assert list(found) == ["baseline"]
    row = found["baseline"]
    assert (row["first"], row["second"], row["pairs"], row["difference"]) == (70.5, 72.5, 2, 2.0)
    half = 12.706205 * np.sqrt(2) / np.sqrt(2)
    assert (row["low"], row["high"]) == pytest.approx((2 - half, 2 + half), abs=1e-5)
    assert (row["p"], row["p_holm"]) == (0.5, 0.5)
    assert row["same"] == 2


def test_rows_stand_in_the_first_studys_order_and_p_is_adjusted_over_all(study, other):
    for folder, shift in ((study, 0.0), (other, 1.0)):
        names = ("b", "a") if folder is study else ("a", "b")
        folder.arm("baseline", 70.0, 70.0)
        for name in names:
            folder.arm(name, 70.0 + shift, 70.0 + shift, 70.0 + shift)
    table = between_studies.join(study.read(), other.read())
    assert table["arm"].tolist() == ["baseline", "b", "a"]
    assert table["p"].tolist() == [1, 0.25, 0.25]
    assert table["p_holm"].tolist() == [1, 0.75, 0.75]


def test_other_data_or_noise_is_no_pair(study, other):
    study.arm("baseline", 70.0, 71.0, 72.0)
    other.arm("baseline", 71.0, 71.0, 71.0, change={0: {"noise_hash": "x"}, 1: {"data_hash": "y"}})
    row = joined(study, other)["baseline"]
    assert (row["pairs"], row["first"], row["second"]) == (1, 72, 71)


def test_settings_are_told_apart(study, other):
    study.arm("baseline", 70.0, setting="easy").arm("baseline", 60.0, setting="hard")
    other.arm("baseline", 71.0, setting="easy").arm("baseline", 62.0, setting="new")
    table = between_studies.join(study.read(), other.read())
    assert table[["setting", "arm", "difference"]].to_numpy().tolist() == [
        ["easy", "baseline", 1.0]
    ]
    assert list(between_studies.only(study.read(), other.read())) == [
        f"only in {study.root}: hard/baseline",
        f"only in {other.root}: new/baseline",
    ]


@pytest.mark.parametrize("empty", ["first", "second", "both"])
def test_a_study_without_a_finished_trial_has_rows_without_numbers(study, other, empty):
    study.arm("baseline", "failed" if empty in ("first", "both") else 70.0)
    other.arm("baseline", "missing" if empty in ("second", "both") else 70.0)
    row = joined(study, other)["baseline"]
    assert row["pairs"] == 0
    assert np.isnan([row["first"], row["second"], row["difference"], row["p"]]).all()


def test_a_changed_configuration_is_said(study, other):
    study.arm("baseline", 70.0, 71.0).arm("a", 70.0, 71.0).arm("b", 70.0).arm("c", 70.0)
    other.arm("baseline", 70.0, 71.0).arm("a", 70.0, 71.0).arm("b", 70.0).arm("c", "failed")
    first, second = study.read(), other.read()
    second.trials.loc[second.trials["arm"] == "a", "id"] = ["another", "id of None a 1"]
    second.trials.loc[second.trials["arm"] == "b", "id"] = "another"
    shown = between_studies.text(between_studies.join(first, second), "x", "y")
    assert list(shown) == [
        "arm",
        "pairs",
        "x %",
        "y %",
        "difference [95 % interval]",
        "Holm p",
        "configuration",
    ]
    assert shown["configuration"].tolist() == ["same", "changed", "changed", ""]
    assert shown.iloc[0].tolist() == [
        "baseline",
        "2",
        "70.50",
        "70.50",
        "0.00 [0.00, 0.00]",
        "1.0000",
        "same",
    ]


# --- the command ---


def test_compare_prints_the_joined_table(study, other, command, rendered):
    study.arm("baseline", 70.0, 71.0).arm("gone", 1.0).write()
    other.arm("baseline", 71.0, 74.0).write()
    code, out, err = command("compare", study.root, other.root)
    assert (code, err) == (0, "")
    (table,) = rendered(out)
    assert table[0][:4] == ["arm", "pairs", f"{study.root} %", f"{other.root} %"], (
        "both studies have one name"
    )
    assert table[1][1:5] == ["2", "70.50", "72.50", cells.interval(2.0, 2 - 12.7062, 2 + 12.7062)]
    assert f"only in {study.root}: gone" in out.splitlines()
    assert f"difference: {other.root} − {study.root}" in out


def test_compare_says_what_unchecked_test_labels_measure(study, other, command):
    study.arm("baseline", 70.0, change={0: {"test_labels": "unchecked"}}).write()
    other.arm("baseline", 71.0).write()
    _, out, _ = command("compare", study.root, other.root)
    assert "last-10 agreement with unchecked labels or test accuracy, means over" in out
    assert "the sign of a difference can be wrong" in out


def test_compare_names_studies_that_have_names_of_their_own(study, other, command, rendered):
    study.arm("baseline", 70.0).write()
    other.arm("baseline", 71.0).write()
    plan = other.root / "trials.json"
    content = {**read_signed(plan), "study": "large"}
    plan.write_text(json.dumps(signed(content)))
    (table,) = rendered(command("compare", study.root, other.root)[1])
    assert table[0][2:4] == ["small %", "large %"]


def test_a_study_compared_with_itself_has_no_difference(study, command, rendered, tmp_path):
    study.arm("baseline", 70.0, 71.0).write()
    shutil.copytree(study.root, tmp_path / "copy")
    (table,) = rendered(command("compare", study.root, tmp_path / "copy")[1])
    assert table[1][4] == "0.00 [0.00, 0.00]"
    assert table[1][-1] == "same"


@pytest.mark.parametrize("bad", ["first", "second"])
def test_compare_needs_two_studies(study, command, tmp_path, bad):
    study.arm("baseline", 70.0).write()
    folders = [tmp_path / "none", study.root]
    code, out, err = command("compare", *(folders if bad == "first" else folders[::-1]))
    assert (code, out) == (2, "")
    assert (
        err
        == f"{tmp_path / 'none'} contains no study results (there is no readable trials.json in it)\n"
    )


def test_compare_of_one_folder_explains_itself(study, command):
    code, out, err = command("compare", study.root)
    assert (code, out) == (2, "")
    assert "RUN_DIR_B" in err
