"""`run --on-end`: run once with the run's code and folder; its own failure changes nothing."""

from pathlib import Path

import pytest
import typer

from analysis.results.study_plan import NoStudy
from orchestrator.cli.on_end import on_end
from orchestrator.exit_codes import REFUSED, WRONG, Ended
from trainable.config.strict_yaml import ConfigError

TELL = 'echo "$DIVIDEMIX_EXIT_CODE $DIVIDEMIX_RUN_DIR" >> said.txt'


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (typer.Exit(0), 0),
        (typer.Exit(1), 1),
        (Ended("wrong", WRONG), WRONG),
        (Ended("refused", REFUSED), REFUSED),
        (SystemExit(130), 130),
        (OSError("disk"), REFUSED),
        (ConfigError("s.yaml", ["it never leaves its warm-up"]), WRONG),
        (NoStudy("results: no study"), WRONG),
        (ValueError("fault"), 1),
    ],
)
def test_it_gets_the_exit_code_and_the_folder_and_the_end_stays_as_it_is(end, code, tmp_path):
    with pytest.raises(type(end)) as raised, on_end(TELL, Path("my results/tiny")):
        raise end
    assert raised.value is end
    assert Path("said.txt").read_text() == f"{code} {tmp_path}/my results/tiny\n"


def test_a_failure_of_the_command_is_a_note_and_changes_no_code(command):
    Path("tiny.yaml").write_text("name: tiny\nseeds: [0]\nbase: {train: {epochs: 3}}\n")
    code, _, err = command(
        "run", "tiny.yaml", "--arms", "none", "--on-end", f"{TELL}; echo told; exit 7"
    )
    assert code == WRONG
    assert "note: --on-end:" in err
    assert "ended with code 7" in err
    assert Path("said.txt").read_text().startswith("2 ")
    assert len(Path("said.txt").read_text().splitlines()) == 1, "it is run once"


def test_it_is_not_for_a_try_nor_a_profile(command):
    Path("tiny.yaml").write_text("name: tiny\nseeds: [0]\nbase: {train: {epochs: 3}}\n")
    for options in (["--try"], ["--profile", "baseline"]):
        code, _, err = command("run", "tiny.yaml", *options, "--on-end", TELL)
        assert code == WRONG
        assert "--on-end" in err
    assert not Path("said.txt").exists()


def test_without_a_command_nothing_is_run():
    with pytest.raises(typer.Exit), on_end("", Path("r")):
        raise typer.Exit(0)
    assert list(Path().iterdir()) == []
