"""Shipped studies are found by name, and files win over names."""

from pathlib import Path

import pytest

from orchestrator.exit_codes import WRONG, Ended
from orchestrator.study.shipped import folder, study_file


def test_a_name_is_the_shipped_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert study_file(Path("ablation")) == folder() / "ablation.yaml"
    assert study_file(Path("ablation")).is_file()


def test_a_file_wins_over_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("ablation").write_text("name: mine\n")
    assert study_file(Path("ablation")) == Path("ablation")


@pytest.mark.parametrize("path", ["mine.yaml", "studies/ablation", "/absolute/ablation"])
def test_a_path_stays_as_it_is(path):
    assert study_file(Path(path)) == Path(path)


def test_an_unknown_name_is_told_with_the_nearest_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Ended, match=r"ablaton: .*did you mean `ablation`") as ended:
        study_file(Path("ablaton"))
    assert ended.value.code == WRONG
