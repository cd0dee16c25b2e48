"""Reference of the study file, from its pydantic models."""

import json
import re
from typing import Any, get_args

from markdown_tables import code, table
from pydantic import BaseModel

from orchestrator.study import schema, search_schema
from orchestrator.study.json_schema import model_schema, models_of
from trainable.config.base import Section
from trainable.config.trial import TrialConfig

Json = dict[str, Any]

STUDY = {
    "Keys of an ablation": schema.AblationFile,
    "Keys of a search": search_schema.SearchFile,
}
PARTS = {
    "`seeds`, added until each question is decided": schema.UntilDecided,
    "`factors.FIELD`": schema.Factor,
    "`resources`": schema.Resources,
    "`run`": schema.Run,
    "`run.budget`": schema.Budget,
    "`analysis`": schema.AblationAnalysis,
    "`space.FIELD` of a search": search_schema.Parameter,
    "`metric` of a search": search_schema.Metric,
    "`sampler` of a search": search_schema.Sampler,
    "`scheduler: asha` of a search": search_schema.Asha,
    "`scheduler: median` of a search": search_schema.Median,
    "`confirm` of a search": search_schema.Confirm,
}
FILLED_IN = ("weights_hash", "labels_hash")
"""Fields that the program fills in."""

HEADER = ("key", "values", "meaning")

LARGEST = 2**31
"""Limits beyond it are those of number types and not of use to a reader."""


def study_file() -> str:
    """Return tables of all keys of a study file."""
    parts = ["## All keys"]
    for title, model in {**STUDY, **PARTS}.items():
        parts += [f"### {title}", table(HEADER, _rows(model, list(model.model_fields)))]
    for section, field in TrialConfig.model_fields.items():
        models = list(models_of(field.annotation))
        if models:
            parts.append(f"## All keys of `{section}`")
            parts += _section(section, models)
    parts += ["## `from_arm`", table(HEADER, _rows(TrialConfig, ["from_arm"]))]
    return "\n\n".join(parts)


def _section(section: str, models: list[type[BaseModel]]) -> list[str]:
    """Return the parts of one section of a trial: a table for each class that adds fields."""
    parts = []
    written: set[type[BaseModel]] = set()
    for model in models:
        owners = [owner for owner in reversed(model.__mro__) if _has_fields(owner)]
        for owner in owners:
            if owner not in written:
                parts += _class(section, owner, owners)
                written.add(owner)
    return parts


def _has_fields(owner: type) -> bool:
    return issubclass(owner, Section) and bool(_own_fields(owner))


def _own_fields(owner: type[BaseModel]) -> list[str]:
    """Return the fields that a class declares itself, without its name."""
    declared = vars(owner).get("__annotations__", {})
    fields = [name for name in declared if name in owner.model_fields]
    return [name for name in fields if name not in FILLED_IN]


def _class(section: str, owner: type[BaseModel], owners: list[type[BaseModel]]) -> list[str]:
    """Return the title, the explanation and the table of a class of fields."""
    summary, rest = _docstring(owner)
    name = owner.model_fields.get("name")
    fields = [field for field in _own_fields(owner) if field != "name"]
    parts = []
    if name is None:
        parts.append(f"### {summary}")
    else:
        names = [name.default] if isinstance(name.default, str) else get_args(name.annotation)
        parts += [f"### {section}: {', '.join(map(code, names))}", f"{summary}."]
    if rest:
        parts.append(rest)
    shared = [_docstring(each)[0] for each in owners if each is not owner]
    if name is not None and shared:
        links = ", ".join(f"[{title}](#{_anchor(title)})" for title in shared)
        parts.append(f"It also has these: {links}.")
    if fields:
        parts.append(table(HEADER, _rows(owner, fields)))
    return parts


def _docstring(owner: type[BaseModel]) -> tuple[str, str]:
    """Return the first sentence of a class's docstring without its full stop, and the others."""
    summary, _, rest = " ".join(str(owner.__doc__).split()).partition(". ")
    return summary.rstrip("."), rest


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _rows(model: type[BaseModel], fields: list[str]) -> list[list[str]]:
    described = model_schema(model, {})
    rows = []
    for field in fields:
        about = described["properties"][field]
        values = _values(about)
        if field in described.get("required", ()):
            values = f"{values}; required"
        elif default := _value(about["default"]):
            values = f"{values}; default {default}"
        rows.append([code(field), values, about.get("description", "")])
    return rows


def _values(about: Json) -> str:
    """Return what a value may be, in words."""
    if alternatives := about.get("anyOf") or about.get("oneOf"):
        return " or ".join(dict.fromkeys(_values(each) for each in alternatives))
    if "const" in about:
        return _value(about["const"])
    if "enum" in about:
        return ", ".join(map(_value, about["enum"]))
    kind = about.get("type")
    if kind in ("integer", "number"):
        return f"{kind}{_bounds(about)}"
    if kind == "array":
        return f"list of {_values(about.get('items', {}))}"
    return {
        "boolean": "`true`, `false`",
        "string": "text",
        "null": "`null`",
        "object": "mapping",
        None: "mapping" if "$ref" in about else "any value",
    }[kind]


def _bounds(about: Json) -> str:
    """Return the limits of a number, such as ` ≥ 0 and < 1`."""
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = {sign: about[key] for key, sign in signs.items() if about.get(key) is not None}
    named = [f"{sign} {limit:g}" for sign, limit in limits.items() if limit < LARGEST]
    return f" {' and '.join(named)}" if named else ""


def _value(value: Any) -> str:
    """Return a value as it is written in YAML."""
    if isinstance(value, str):
        return code(value)
    if value in ({}, []) or isinstance(value, dict):
        return ""
    return code(json.dumps(value))
