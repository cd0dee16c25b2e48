"""Parts of written study files are read back as what they were."""

from pathlib import Path

import pytest

from orchestrator.study.planned_trial import LONGEST_NAME, NAME
from orchestrator.study.study_text import comment, flow, path_in, sections, study_name
from trainable.config import strict_yaml
from trainable.config.overrides import resolve
from trainable.config.trial import TrialConfig, trial_id

VALUES = [
    {"name": "npz", "path": "../a/b-c.npz", "rates": [0.1, 1e-05, -3, True, None]},
    *("on", "No", "TRUE", "null", "~", "1", "1e3", "0x1f", ".5", ".inf", "-", "", " a ", "a: b"),
    *(
        "#",
        "a #b",
        "{a}",
        "[a",
        "a,b",
        '"',
        "\\",
        "é",
        "😀",
        "'x'",
        "=owl()",
        "..",
        "../..",
        "a\nb",
    ),
    [],
    {},
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_on_one_line_is_read_back(value):
    text = f"key: {flow(value)}"
    assert len(text.splitlines()) == 1
    found = strict_yaml.parse(text, "a test")
    assert not found.problems
    assert found.data == {"key": value}


def test_common_words_and_paths_have_no_quotes():
    assert flow({"name": "npz", "path": "../x/images.npz", "lr": 0.02}) == (
        "{name: npz, path: ../x/images.npz, lr: 0.02}"
    )


def test_the_sections_of_a_trial_are_its_settings_again():
    content = {
        "data": {"name": "npz", "path": "a.npz", "flip": True},
        "noise": {"name": "asymmetric", "rate": 0.2, "map": [1, 0]},
        "train": {"epochs": 7, "lr_milestones": [3, 5]},
        "method": {"name": "dividemix", "conf_penalty": "on", "lambda_u": 0.0},
        "seed": 5,
    }
    config = TrialConfig.model_validate(content)
    found = sections(config, lambda path: f"../{path}")
    assert list(found["data"]) == ["name", "path", "flip"]
    assert found["data"]["path"] == "../a.npz"
    assert found["model"] == {"name": "small_cnn"}
    read = strict_yaml.parse(flow(found), "a test").data
    again = resolve(Path(), dict(read))
    expected = config.model_copy(
        update={"seed": 0, "data": config.data.model_copy(update={"path": "../a.npz"})}
    )
    assert again == expected


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"method": {"guard": False, "lambda_u": 25.0, "mixup": True}},
        {"train": {"ema_decay": 0.0, "lr_schedule": "step"}},
    ],
    ids=["recipe", "method", "train"],
)
def test_a_trial_with_a_recipe_is_written_as_it_is(changed):
    method = {"name": "dividemix", "recipe": "robust", **changed.get("method", {})}
    config = resolve(Path(), {**changed, "data": {"name": "digits"}, "method": method})
    found = sections(config, str)
    again = resolve(Path(), dict(strict_yaml.parse(flow(found), "a test").data))
    assert trial_id(again) == trial_id(config)


def test_what_the_program_fills_in_is_not_written():
    content = {
        "noise": {"name": "file", "path": "a.csv", "labels_hash": "ab"},
        "method": {
            "name": "dividemix",
            "init": "pretrained",
            "weights": "w.pt",
            "weights_hash": "a",
        },
    }
    found = sections(TrialConfig.model_validate(content), str.upper)
    assert found["noise"] == {"name": "file", "path": "A.CSV"}
    assert found["method"] == {"name": "dividemix", "weights": "W.PT", "init": "pretrained"}


@pytest.mark.parametrize("text", ["Birds 2", "...", "", "ä", "x" * 200, "-a", "a/b"])
def test_any_text_gives_a_name(text):
    assert NAME.fullmatch(study_name(text))
    assert len(study_name(text)) <= LONGEST_NAME


def test_paths_are_relative_where_both_are_close():
    assert path_in(Path("a/new.yaml"), Path("data/x.npz")) == "../data/x.npz"
    assert path_in(Path("new.yaml"), Path("/somewhere/else/x.npz")) == "/somewhere/else/x.npz"


def test_a_comment_is_one_line_whatever_its_text():
    assert comment("a\nname: b\x85c") == "# a�name: b�c"
