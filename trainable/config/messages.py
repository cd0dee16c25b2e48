"""Error messages for pydantic's findings: the field, the wrong value, and the expected one."""

import difflib
import json
import types
from collections.abc import Iterator
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError


class Misfit(ValueError):
    """Fields that do not fit together; `path` is the path of the field to change."""

    def __init__(self, path: tuple[str, ...], message: str):
        super().__init__(message)
        self.path = path


def explain(error: ValidationError, root: type[BaseModel]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield (path of the field, message) for each mistake that pydantic found in `root`.

    A message states the wrong value and the expected one.
    """
    found: dict[tuple[tuple[str, ...], int | None], list[str]] = {}
    for item in error.errors():
        path, owner = _walk(item["loc"], root)
        path += getattr(item.get("ctx", {}).get("error"), "path", ())
        if item["type"].startswith("union_tag"):
            path = (*path, "name")
        messages = found.setdefault((path, _list_position(item["loc"])), [])
        message = _message(item, path, owner)
        if message not in messages:
            messages.append(message)
    for (path, _), messages in found.items():
        sentence = messages[0]
        for other in messages[1:]:  # a union of plain types has one message per member
            sentence += f", or {other.split(': it ', 1)[-1]}"
        yield path, sentence


def _list_position(loc: tuple[int | str, ...]) -> int | None:
    """Return the list position of a mistake; None outside a list."""
    for part in loc:
        if isinstance(part, int):
            return part
    return None


def _walk(
    loc: tuple[int | str, ...], root: type[BaseModel]
) -> tuple[tuple[str, ...], type[BaseModel]]:
    """Return the field's path and the model that has its last key.

    The path is without pydantic's union tags and list positions.
    """
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
            key = next(parts, None)
            if key is not None:
                path.append(str(key))
            annotation = get_args(annotation)[1]
        members = models_of(annotation)
        if len(members) > 1:
            tag = next(parts, None)
            members = [member for member in members if tag in _names(member)]
        model = members[0] if members else None
    return tuple(path), owner


def models_of(annotation: Any) -> list[type[BaseModel]]:
    """Return the pydantic models of a field's annotation: none, one, or those of a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, types.UnionType):
        found = []
        for member in get_args(annotation):
            found += models_of(member)
        return found
    return []


def _names(model: type[BaseModel]) -> tuple[Any, ...]:
    """Return the allowed values of a union member's `name`."""
    return get_args(model.model_fields["name"].annotation)


def suggestion(word: str, choices: list[str]) -> str:
    """Return `; did you mean …?` for a misspelt word, or an empty string."""
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.5)
    return f"; did you mean `{close[0]}`?" if close else ""


def _message(item: Any, path: tuple[str, ...], owner: type[BaseModel]) -> str:
    """Return the message about one mistake."""
    context = item.get("ctx", {})
    match item["type"]:
        case "extra_forbidden":
            return _unknown_key(path[-1], owner)
        case "union_tag_invalid":
            return _unknown_name(context, path)
        case "union_tag_not_found" | "missing":
            return "is missing"
        case "too_short":
            length = context["actual_length"]
            return f"needs at least {context['min_length']} of them, and has {length}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"{_json(item)} is not right: it should be a mapping (key: value)"
        case "bool_type" | "bool_parsing":
            return f"{_json(item)} is not right: it should be true or false"
        case "value_error":
            return str(context["error"])
    given = _json(item)
    if len(given) >= 60:
        given = given[:57] + "..."
    return f"{given} is not right: it {item['msg'].removeprefix('Input ')}"


def _json(item: Any) -> str:
    """Return the wrong value as JSON."""
    return json.dumps(item["input"], default=repr)


def _unknown_key(key: str, owner: type[BaseModel]) -> str:
    """Return the message about a key that `owner` does not have."""
    # The program fills in the fields without a repr.
    known = [name for name, field in owner.model_fields.items() if field.repr]
    # Inherited fields come last.
    known.sort(key=lambda name: name not in owner.__annotations__)
    close = suggestion(key, known)
    if not close:
        close = "; known are " + ", ".join(known)
    return f"unknown key `{key}`{close}"


def _unknown_name(context: dict[str, Any], path: tuple[str, ...]) -> str:
    """Return the message about a `name` that no member of a union has."""
    known = [tag.strip().strip("'") for tag in context["expected_tags"].split(",")]
    own = ", or FILE.py:CLASS" if path in (("model", "name"), ("method", "name")) else ""
    close = suggestion(context["tag"], known)
    return f"`{context['tag']}` is not a known name: use one of {', '.join(known)}{own}{close}"
