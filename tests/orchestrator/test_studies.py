"""The studies of this repository: each can be planned, and the small version in its head needs no absent data."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

from orchestrator.run import Options, absent_data, absent_sources
from orchestrator.study import Study, load
from trainable.machine import Machine

STUDIES = sorted((Path(__file__).parents[2] / "studies").glob("*.yaml"))
COMMAND = re.compile(r"^#.*?python -m orchestrator run (studies/.*)$", re.MULTILINE)


def commands(path: Path) -> list[list[str]]:
    """Arguments of every `run` command in a study's head."""
    return [shlex.split(found.rstrip("`")) for found in COMMAND.findall(path.read_text())]


def selection(arguments: list[str]) -> Options:
    """`--settings` and `--arms` of a command."""
    given = dict(zip(arguments[1::2], arguments[2::2], strict=True))
    assert given.keys() <= {"--settings", "--arms"}
    arms, settings = (
        frozenset(given[name].split(",")) if name in given else frozenset() for name in ("--arms", "--settings")
    )
    return Options(arms=arms, settings=settings)


def loaded(path: Path) -> Study:
    if "timm:" in path.read_text() and not find_spec("timm"):
        pytest.skip("needs the extra timm")
    return load(path)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_plan_accepts_every_study_and_what_its_head_says_to_run(path, tmp_path):
    study, machine = loaded(path), Machine(study_dir=path.parent, data_dir=tmp_path)
    absent_data(study.trials, machine)  # data that is not there is a warning, not an error
    for arguments in commands(path):
        assert arguments[0] == f"studies/{path.name}"
        options = selection(arguments)
        chosen = [trial for trial in study.trials if options.selects(trial.record)]
        assert {t.record.arm for t in chosen} >= options.arms
        assert {t.record.setting for t in chosen} >= options.settings
        assert not list(absent_sources(chosen, {trial.record: "todo" for trial in study.trials}))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_the_small_version_needs_no_data_that_is_not_there(path, tmp_path):
    small = [selection(arguments) for arguments in commands(path) if "--settings" in arguments]
    if not small:
        pytest.skip("is small itself, or has no small version")
    study, machine = loaded(path), Machine(study_dir=path.parent, data_dir=tmp_path)
    for options in small:
        chosen = [trial for trial in study.trials if options.selects(trial.record)]
        assert chosen
        assert absent_data(chosen, machine) == []
        assert sum(trial.record.epochs for trial in chosen) < 40_000
