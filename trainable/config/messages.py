"""What pydantic finds wrong, in sentences for people: the field, its value, and what would be
right."""

import difflib
import json
import types
from collections.abc import Iterator
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError


class Misfit(ValueError):
    """Fields of two sections that do not fit; `path` is that of the one to change."""

    def __init__(self, path: tuple[str, ...], message: str):
        super().__init__(message)
        self.path = path


def explain(error: ValidationError, root: type[BaseModel]) -> Iterator[tuple[tuple[str, ...], str]]:
    """(path of the field, what is wrong and what would be right) for each mistake that pydantic
    found in `root`."""
    found: dict[tuple[tuple[str, ...], int | None], list[str]] = {}
    for item in error.errors():
        path, owner = _walk(item["loc"], root)
        path += getattr(item.get("ctx", {}).get("error"), "path", ())
        if item["type"].startswith("union_tag"):
            path = (*path, "name")
        position = next((part for part in item["loc"] if isinstance(part, int)), None)  # in a list
        message = _message(item, path, owner)
        if message not in found.setdefault((path, position), []):
            found[path, position].append(message)
    for (path, _), messages in found.items():  # a union of plain types reports one message a member
        head, *rest = messages
        yield path, head + "".join(f", or {m.split(': it ', 1)[-1]}" for m in rest)


def _walk(
    loc: tuple[int | str, ...], root: type[BaseModel]
) -> tuple[tuple[str, ...], type[BaseModel]]:
    """The field's path, free of pydantic's union tags and list positions, and the model that owns
    its last key."""
    path: list[str] = []
    owner = root
    model: type[BaseModel] | None = root
    parts = iter(loc)
    for part in parts:
        if model is None:  # inside a list or a union of plain types
            break
        owner = model
        path.append(str(part))
        field = model.model_fields.get(str(part))
        annotation = field.annotation if field else None
        if get_origin(annotation) is dict:
            path += [str(key) for key in [next(parts, None)] if key is not None]
            annotation = get_args(annotation)[1]
        members = _models(annotation)
        if len(members) > 1:
            tag = next(parts, None)
            members = [m for m in members if tag in get_args(m.model_fields["name"].annotation)]
        model = members[0] if members else None
    return tuple(path), owner


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The pydantic models of a field's annotation: none, one, or the members of a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, types.UnionType):
        return [m for a in get_args(annotation) for m in _models(a)]
    return []


def suggestion(word: str, choices: list[str]) -> str:
    """`did you mean …?` for a misspelt word, or nothing."""
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.5)
    return f"; did you mean `{close[0]}`?" if close else ""


def _message(item: Any, path: tuple[str, ...], owner: type[BaseModel]) -> str:
    context, given = item.get("ctx", {}), item["input"]
    if item["type"] == "extra_forbidden":
        known = [
            name for name, field in owner.model_fields.items() if field.repr
        ]  # others are filled in
        known.sort(
            key=lambda name: name not in owner.__annotations__
        )  # those it shares with others come last
        return (
            "unknown key "
            f"`{path[-1]}`{suggestion(path[-1], known) or '; known are ' + ', '.join(known)}"
        )
    if item["type"] == "union_tag_invalid":
        known = [t.strip().strip("'") for t in context["expected_tags"].split(",")]
        own = ", or FILE.py:CLASS" if path in (("model", "name"), ("method", "name")) else ""
        close = suggestion(context["tag"], known)
        return f"`{context['tag']}` is not a known name: use one of {', '.join(known)}{own}{close}"
    if item["type"] == "union_tag_not_found":
        return "is missing"
    if item["type"] == "missing":
        return "is missing"
    if item["type"] == "too_short":
        return f"needs at least {context['min_length']} of them, and has {context['actual_length']}"
    if item["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return (
            f"{json.dumps(given, default=repr)} is not right: it should be a mapping (key: value)"
        )
    if item["type"] in ("bool_type", "bool_parsing"):
        return f"{json.dumps(given, default=repr)} is not right: it should be true or false"
    if item["type"] == "value_error":
        return str(context["error"])
    shown = json.dumps(given, default=repr)
    return (
        f"{shown if len(shown) < 60 else shown[:57] + '...'} is not right: it "
        f"{item['msg'].removeprefix('Input ')}"
    )
