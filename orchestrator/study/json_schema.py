"""JSON Schema of study files, by which editors complete and check them.

`make schema` writes it to docs/study.schema.json. It is made from the pydantic models and accepts
whatever the loader accepts, and more: relations between fields are checked by the loader only.
"""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter

from orchestrator.study.schema import AblationFile, SequentialFile
from orchestrator.study.search_schema import SearchFile
from trainable.config.trial import TrialConfig

Schema = dict[str, Any]

KINDS = (AblationFile, SequentialFile, SearchFile)
"""Models of a whole study file."""
OVERRIDES = ("base",)
"""Keys with fields of a trial."""
NAMED_OVERRIDES = ("arms", "settings")
"""Keys with fields of a trial below names."""
OF_A_TRIAL: Schema = {"$ref": "#/$defs/Overrides"}
OF_TRIALS: Schema = {"type": "object", "additionalProperties": OF_A_TRIAL}
OWN_CODE = ("model", "method")
"""Sections that may name own code, with fields of its own."""


def study_schema() -> Schema:
    """Return the JSON Schema of study files."""
    definitions: Schema = {}
    variants = []
    for kind in KINDS:
        schema = model_schema(kind, definitions)
        properties = schema["properties"]
        for key in (*OVERRIDES, *NAMED_OVERRIDES):
            if key in properties:
                properties[key] = {
                    **(OF_A_TRIAL if key in OVERRIDES else OF_TRIALS),
                    "description": properties[key]["description"],
                }
        variants.append(schema)
    definitions["Overrides"] = _overrides(definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Study of dividemix-orchestrator",
        "anyOf": variants,
        "$defs": definitions,
    }


def _overrides(definitions: Schema) -> Schema:
    """Return the schema of fields of a trial, nested or by dotted path, in any subset."""
    properties: Schema = {}
    patterns: Schema = {}
    for section, field in TrialConfig.model_fields.items():
        models = list(models_of(field.annotation))
        if not models:
            properties[section] = _of_type(field.annotation, definitions)
            continue
        fields: dict[str, list[Schema]] = {}
        for model in models:
            for name, schema in model_schema(model, definitions)["properties"].items():
                alternatives = fields.setdefault(name, [])
                if schema not in alternatives:
                    alternatives.append(schema)
        if section in OWN_CODE:
            fields["name"] = [*fields["name"], {"type": "string", "pattern": ":"}]
        union = {name: _any(alternatives) for name, alternatives in fields.items()}
        properties[section] = {
            "type": "object",
            "properties": union,
            "additionalProperties": section in OWN_CODE,
        }
        for name, schema in union.items():
            properties[f"{section}.{name}"] = schema
        if section in OWN_CODE:
            patterns[rf"^{section}\."] = {}
    return {
        "type": "object",
        "properties": properties,
        "patternProperties": patterns,
        "additionalProperties": False,
    }


def _any(alternatives: list[Schema]) -> Schema:
    return alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}


def models_of(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models of an annotation: one, those of a union, or none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for member in get_args(annotation):
        yield from models_of(member)


def model_schema(model: type[BaseModel], definitions: Schema) -> Schema:
    """Return a model's schema with the fields' docstrings; its parts are added to `definitions`."""
    schema = model.model_json_schema()
    definitions.update(schema.pop("$defs", {}))
    _describe(model, schema)
    for part in _parts(model):
        _describe(part, definitions[part.__name__])
    return schema


def _parts(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield the models of a model's fields, and the models of theirs."""
    for field in model.model_fields.values():
        for part in models_of(field.annotation):
            yield part
            yield from _parts(part)


def _describe(model: type[BaseModel], schema: Schema) -> None:
    """Add the docstrings of a model's fields to its schema."""
    for name, text in _docstrings(model).items():
        if name in schema.get("properties", {}):
            schema["properties"][name] = {**schema["properties"][name], "description": text}


def _of_type(annotation: Any, definitions: Schema) -> Schema:
    schema = TypeAdapter(annotation).json_schema()
    definitions.update(schema.pop("$defs", {}))
    return schema


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Return field → the string below it in the source, for a model and its base classes."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if not issubclass(owner, BaseModel) or owner is BaseModel:
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
        assert isinstance(body, ast.ClassDef)
        for statement, after in zip(body.body, body.body[1:], strict=False):
            if not isinstance(statement, ast.AnnAssign) or not isinstance(after, ast.Expr):
                continue
            if isinstance(statement.target, ast.Name) and isinstance(after.value, ast.Constant):
                found[statement.target.id] = " ".join(str(after.value.value).split())
    return found


if __name__ == "__main__":
    print(json.dumps(study_schema(), indent=1, ensure_ascii=False))
