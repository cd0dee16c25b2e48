"""Own methods and models: the page's very code from a folder of its own; ids; what is wrong is said with its line."""

import re
from pathlib import Path

import pytest

from orchestrator.results.reproduce import reproduce
from orchestrator.study.load import load_study
from tests.orchestrator.runs import untimed
from trainable.config.runtime import Machine
from trainable.config.strict_yaml import ConfigError
from trainable.config.trial import TrialConfig
from trainable.storage.trial_folder import TrialFolder
from trainable.trial.session import Session

PAGE = (Path(__file__).parents[3] / "docs" / "own-method.md").read_text(encoding="utf-8")
NET = """\
import torch
from torch import nn

from trainable.api import Section


class Net(nn.Sequential):
    class Config(Section):
        width: int = 4

    def __init__(self, config, shape, classes):
        super().__init__(nn.Conv2d(shape[0], config.width, 8), nn.BatchNorm2d(config.width), nn.Flatten(),
                         nn.Linear(config.width, classes))
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def study(tmp_path) -> Path:
    """The page's study and method, as somebody would copy them, with fewer seeds and epochs."""
    (tmp_path / "trimmed.py").write_text(blocks("python")[0], encoding="utf-8")
    text = (
        blocks("yaml")[0]
        .replace("[0, 1, 2, 3, 4, 5, 6, 7]", "[0]")
        .replace("epochs: 30", "epochs: 2")
        .replace("{method.name: dividemix}", "{method: {name: dividemix, warmup_epochs: 1}}")
    )
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    return tmp_path / "mine.yaml"


def configs(study: Path) -> dict[str, TrialConfig]:
    return {trial.record.arm: trial.config for trial in load_study(study).trials}


def ids(study: Path) -> dict[str, str]:
    return {trial.record.arm: trial.record.id for trial in load_study(study).trials}


def problems(study: Path) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load_study(study)
    return str(error.value).replace(f"{study}:", "").splitlines()


def train(config: TrialConfig, folder: Path, machine: Machine) -> list[dict]:
    session = Session(config, folder, machine)
    while not session.finished:
        session.advance()
    session.close()
    assert TrialFolder(folder).failure is None
    return untimed(TrialFolder(folder).rows())


# --- the page ---


def test_the_pages_method_runs_as_arms_whose_switches_bite(study, tmp_path):
    machine = Machine(study_dir=tmp_path, device="cpu")
    arms = configs(study)
    rows = {
        arm: train(arms[arm], tmp_path / arm, machine)
        for arm in ("baseline", "no_trim", "no_exchange")
    }
    firsts, lasts = (
        [r[0] for r in rows.values()],
        [str(r[1]["loss/labeled"]) for r in rows.values()],
    )
    assert firsts[0] == firsts[1] == firsts[2], "nothing is known in the first epoch"
    assert len(set(lasts)) == 3

    # From what a worker is handed, and without the file: the trial has its text.
    (tmp_path / "trimmed.py").unlink()
    again = TrialConfig.model_validate(arms["baseline"].model_dump())
    assert train(again, tmp_path / "again", Machine(device="cpu")) == rows["baseline"]
    assert reproduce(tmp_path / "no_trim", Machine(device="cpu"), own_code=True).identical


def test_the_page_is_about_forty_lines_of_code():
    assert len(blocks("python")[0].splitlines()) <= 45


@pytest.mark.slow
def test_the_pages_study_runs_in_other_processes(study, tmp_path, start):
    process = start(study, "--no-ray", results=tmp_path / "results")
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    for arm in ("baseline", "no_trim", "no_exchange", "dividemix"):
        folder = TrialFolder(tmp_path / "results" / "mine" / "runs" / arm / "seed=0")
        assert folder.summary is not None, output
        alone = train(configs(study)[arm], tmp_path / arm, Machine(device="cpu"))
        assert untimed(folder.rows()) == alone


# --- an own model ---


def test_an_own_model_trains_with_a_last_batch_of_one_image(tmp_path):
    (tmp_path / "net.py").write_text(NET)
    study = tmp_path / "s.yaml"
    fraction = 1 - 1 / 1437 * (
        32 * 44 + 1
    )  # of 1,437 digits: 44 batches of 32 in warm-up, and one of 1
    study.write_text(
        f"name: s\nseeds: [0]\nbase:\n  data: {{name: digits, validation_fraction: {fraction}}}\n"
        "  train: {epochs: 1, batch_size: 16}\n  method: {name: cross_entropy, networks: 1}\n"
        "  model: {name: 'net.py:Net'}\narms:\n  wide: {model.width: 6}\n"
    )
    arms = configs(study)
    assert arms["wide"].model.width == 6
    rows = train(arms["baseline"], tmp_path / "run", Machine(study_dir=tmp_path, device="cpu"))
    assert len(rows) == 1


def test_a_model_that_returns_something_else_is_named(tmp_path):
    (tmp_path / "net.py").write_text(NET.replace("config.width, classes", "config.width, 3"))
    config = TrialConfig.model_validate(
        {"model": {"name": "net.py:Net"}}, context={"study_dir": tmp_path}
    )
    session = Session(config, tmp_path / "run", Machine(device="cpu"))
    session.close()
    assert session.folder.failure["kind"] == "data"
    assert (
        "net.py:Net should return logits of shape (batch, 10)" in session.folder.failure["message"]
    )


# --- ids ---


def test_the_text_is_part_of_the_id_and_the_place_is_not(study, tmp_path):
    before = ids(study)
    assert len(set(before.values())) == 4
    source = (tmp_path / "trimmed.py").read_text()
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "moved.py").write_text(source)
    text = study.read_text()
    study.write_text(text.replace("trimmed.py:", "code/moved.py:"))
    assert ids(study) == before
    (tmp_path / "code" / "moved.py").write_text(source + "# changed\n")
    changed = ids(study)
    assert [arm for arm in before if changed[arm] == before[arm]] == ["dividemix"]


# --- mistakes ---


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("keep: 0.6", "kep: 0.6", "7: base.method.kep: unknown key `kep`; did you mean `keep`?"),
        (
            "keep: 0.6",
            "keep: much",
            '7: base.method.keep: "much" is not right: it should be a valid number',
        ),
        ("keep: 0.6", "keep: 0.6, source: x", "7: base.method.source: is the text of the file"),
        (
            "method.trim: false",
            "method.trimm: false",
            "9: arms.no_trim.method.trimm: unknown key `trimm`; did you",
        ),
        (
            "py:Trimmed",
            "py:Trimed",
            "7: base.method.name: trimmed.py has no class `Trimed`; did you mean `Trimmed`?",
        ),
        ("trimmed.py:", "gone.py:", "7: base.method.name: there is no file gone.py in "),
        (
            "py:Trimmed",
            "py:Learner",
            "7: base.method.name: `Learner` of trimmed.py is not a method: derive it from",
        ),
    ],
)
def test_a_mistake_in_the_study_is_shown_on_its_line(study, old, new, shown):
    study.write_text(study.read_text().replace(old, new))
    assert [line for line in problems(study) if line.startswith(shown)], problems(study)


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        (
            "import numpy as np",
            "import nunpy as np",
            "trimmed.py:3: ModuleNotFoundError: No module named 'nunpy'",
        ),
        ("class Trimmed(Method):", "class Trimmed(Method:", "trimmed.py:10: SyntaxError: "),
        (
            "class Config(Section):",
            "class Fields(Section):",
            "`Trimmed` of trimmed.py needs its fields: a `class",
        ),
        (
            "networks: int = 2",
            "nets: int = 2",
            "`Trimmed.Config` of trimmed.py does not say how many networks",
        ),
    ],
)
def test_a_mistake_in_the_file_is_shown_with_its_line_there(study, tmp_path, old, new, shown):
    code = tmp_path / "trimmed.py"
    code.write_text(code.read_text().replace(old, new))
    assert problems(study)[0].startswith(f"7: base.method.name: {shown}"), problems(study)


# --- every known model ---


def test_every_model_is_an_arm_that_can_be_planned(tmp_path):
    names = [
        "lenet",
        "cnn6",
        "preact_resnet18",
        "preact_resnet34",
        "resnet18",
        "resnet34",
        "resnet50",
    ]
    names += ["mobilenet_v2", "convnext_tiny", "vit_b_16", "swin_t"]
    study = tmp_path / "s.yaml"
    arms = "".join(f"  {name}: {{model.name: {name}}}\n" for name in names)
    arms += "  photos: {model: {name: resnet50, stem: imagenet}}\n"
    study.write_text(f"name: s\nseeds: [0]\nbase: {{train: {{epochs: 20}}}}\narms:\n{arms}")
    assert list(ids(study)) == ["baseline", *names, "photos"]
    assert len(set(ids(study).values())) == len(names) + 2
