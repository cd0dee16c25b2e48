"""docs/study.schema.json is current, and accepts whatever the loader accepts."""

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.study.json_schema import study_schema
from tests.trainable.config.test_trial import OTHER
from trainable.config import strict_yaml
from trainable.config.overrides import resolve

ROOT = Path(__file__).parents[3]
SCHEMA = study_schema()
STUDIES = sorted((ROOT / "studies").glob("*.yaml"))
LEFT_OUT = {"weights_hash", "labels_hash", "source"}
"""Fields that the program fills in."""


def accepted(study: object) -> bool:
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(study)


def test_the_file_in_the_docs_is_current():
    written = json.loads((ROOT / "docs" / "study.schema.json").read_text())
    assert written == json.loads(json.dumps(SCHEMA)), "run `make schema`"
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_shipped_studies_are_accepted(path):
    assert accepted(strict_yaml.read(path).data)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_editors_find_the_schema_of_a_shipped_study(path):
    key, _, schema = path.read_text().splitlines()[0].partition("=")
    assert key == "# yaml-language-server: $schema"
    assert (path.parent / schema).resolve() == ROOT / "docs" / "study.schema.json"


def test_every_key_of_a_study_has_a_meaning():
    parts = {**{model["title"]: model for model in SCHEMA["anyOf"]}, **SCHEMA["$defs"]}
    del parts["Overrides"]
    without = [
        f"{part}.{key}"
        for part, model in parts.items()
        for key, about in model["properties"].items()
        if key != "name" and "description" not in about
    ]
    assert without == []


@st.composite
def overrides(draw) -> dict:
    """Fields of one or two sections with values other than the defaults, nested or dotted."""
    found: dict = {}
    for section, kind in draw(st.lists(st.sampled_from(list(OTHER)), min_size=1, max_size=2)):
        values = {name: v for name, v in OTHER[section, kind].items() if name not in LEFT_OUT}
        chosen = draw(st.sets(st.sampled_from(sorted(values)), max_size=4)) if values else ()
        fields = {name: values[name] for name in chosen}
        name = kind.model_fields.get("name")
        if name is not None and isinstance(name.default, str):
            fields["name"] = name.default
        if draw(st.booleans()):
            found[section] = fields
        else:
            found.pop(section, None)
            found.update({f"{section}.{name}": value for name, value in fields.items()})
    return found


@given(overrides())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_what_the_loader_accepts_is_accepted(base):
    try:
        resolve(ROOT, base)
    except ValidationError:
        return
    study = {"name": "s", "seeds": [0], "base": base, "arms": {"a": base}, "settings": {"x": base}}
    assert accepted(json.loads(json.dumps(study)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"base": {"train": {"epoch": 3}}},
        {"base": {"train.epochs": "three"}},
        {"arms": {"a": {"data": {"nam": "digits"}}}},
        {"seedz": [1]},
        {"seeds": {"until": "bored"}},
        {"analysis": {"margin": -1}},
    ],
)
def test_what_an_editor_should_mark_is_refused(wrong):
    study = {"name": "s", "seeds": [0]}
    assert accepted(study)
    assert not accepted({**study, **wrong})


def test_fields_have_the_descriptions_of_the_models():
    fields = SCHEMA["$defs"]["Overrides"]["properties"]["train"]["properties"]
    assert fields["epochs"]["description"].startswith("Number of epochs, warm-up included")
