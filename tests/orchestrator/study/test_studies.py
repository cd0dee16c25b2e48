"""The studies of this repository: each can be planned, and the small version in its head needs no absent data."""

import json
import re
import shlex
from pathlib import Path

import pytest

from orchestrator.cli.selection import selected
from orchestrator.execution.resources import Node, requested
from orchestrator.exit_codes import Ended
from orchestrator.scheduling.requirements import absent, absent_sources
from orchestrator.scheduling.trial_selection import Options
from orchestrator.study.load import Study, load_study
from trainable.config.runtime import Machine

STUDIES = sorted((Path(__file__).parents[3] / "studies").glob("*.yaml"))
GOLDEN_IDS = Path(__file__).parent / "golden_ids.json"
"""Ids of three trials of every study."""
COMMAND = re.compile(r"^#.*?python -m orchestrator run (studies/.*)$", re.MULTILINE)


def commands(path: Path) -> list[list[str]]:
    """Arguments of every `run` command in a study's head."""
    return [shlex.split(found.rstrip("`")) for found in COMMAND.findall(path.read_text())]


def selection(study: Study, arguments: list[str]) -> Options:
    """What the options of a command select."""
    given = dict(zip(arguments[1::2], arguments[2::2], strict=True))
    assert given.keys() <= {"--settings", "--arms", "--seeds", "--set"}
    texts = {name: given.get(f"--{name}", "") for name in ("arms", "seeds", "settings")}
    return Options(**selected(study, **texts))


def settings(arguments: list[str]) -> list[str]:
    """`--set` of a command."""
    return [
        value
        for name, value in zip(arguments[1::2], arguments[2::2], strict=True)
        if name == "--set"
    ]


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_plan_accepts_every_study_and_what_its_head_says_to_run(path, tmp_path):
    study, machine = load_study(path), Machine(study_dir=path.parent, data_dir=tmp_path)
    absent(study.trials, machine)  # what is not there is a warning, not an error
    for arguments in commands(path):
        assert arguments[0] == f"studies/{path.name}"
        options = selection(study, arguments)
        chosen = [trial for trial in study.trials if options.selects(trial.record)]
        assert {t.record.arm for t in chosen} >= options.arms
        assert {t.record.setting for t in chosen} >= options.settings
        assert not list(absent_sources(chosen, {trial.record: "todo" for trial in study.trials}))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_the_small_version_needs_two_cores_and_no_data_that_is_not_there(path, tmp_path):
    small = [arguments for arguments in commands(path) if "--settings" in arguments]
    if not small:
        pytest.skip("is small itself, or has no small version")
    machine = Machine(study_dir=path.parent, data_dir=tmp_path)
    for arguments in small:
        study = load_study(path, settings(arguments))
        options = selection(study, arguments)
        chosen = [trial for trial in study.trials if options.selects(trial.record)]
        assert chosen
        assert absent(chosen, machine) == []
        assert requested(study.file.resources, [Node("two cores", 2, 0)]) == (1, 0)
        assert sum(trial.record.epochs for trial in chosen) < 40_000


def test_every_study_has_golden_ids():
    assert list(json.loads(GOLDEN_IDS.read_text())) == [path.name for path in STUDIES]


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_the_ids_of_trials_stay_as_they_were(path):
    study = load_study(path)
    trials = list(study.trials) if study.search is None else list(study.search.expected({}))
    found = {trial.record.name: trial.record.id for trial in trials}
    golden = json.loads(GOLDEN_IDS.read_text())[path.name]
    assert golden.items() <= found.items(), "results of this study would become stale"


def test_a_package_that_is_not_there_is_a_warning_of_the_plan_and_stops_a_run(
    monkeypatch, tmp_path, capsys
):
    from orchestrator.cli.app import app

    monkeypatch.setattr("trainable.config.models.find_spec", lambda name: None)
    path = next(path for path in STUDIES if path.stem == "webvision")
    sentence = "model.name: `timm:inception_resnet_v2` needs a package: pip install 'dividemix-orchestrator[timm]'"
    app(["plan", str(path), "--results", str(tmp_path)], standalone_mode=False)
    assert f"warning: {sentence}\n" in capsys.readouterr().out
    with pytest.raises(Ended, match="timm"):
        app(
            ["run", str(path), "--results", str(tmp_path), "--settings", "webvision"],
            standalone_mode=False,
        )
