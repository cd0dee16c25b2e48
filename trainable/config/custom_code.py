"""Own methods and models: `name: FILE.py:CLASS` instead of a known name.

The text of the file becomes a field of the trial. It is therefore part of the trial's id, is sent
to the process that trains, and is stored with the results. The file may change or be deleted while
a study runs. The code is executed when a study that names it is read, and wherever its trials are
built. This module imports the standard library and pydantic only; the file may import more.
"""

import functools
import hashlib
import sys
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar, cast

from pydantic import Field, ValidationError, create_model
from pydantic_core import InitErrorDetails

from trainable.config.base import Section
from trainable.config.messages import Misfit, explain, suggestion
from trainable.config.method_base import MethodConfig

AnySection = TypeVar("AnySection", bound=Section)

BASES = {
    "method": ("trainable.methods.base.Method", "Method of trainable.api"),
    "model": ("torch.nn.modules.module.Module", "torch.nn.Module"),
}
"""Required base class of an own class: its full Python name, and its name in messages."""


class Own(Section):
    """Fields of an own method or model: the fields of its `Config`, its file and its class."""

    implementation: ClassVar[type]
    name: str
    """File and class, FILE.py:CLASS; a relative path starts at the folder of the study file. Only
    the class name is part of the trial's id."""
    source: Annotated[str, Field(repr=False)]
    """Text of the file; the program fills it in when it reads a study."""


def is_own(name: Any) -> bool:
    """Return whether a name is that of a class in a file."""
    return isinstance(name, str) and ".py:" in name


def own_section(
    kind: Literal["method", "model"], content: dict[str, Any], study_dir: Path | None
) -> Own:
    """Return the fields of an own class, checked by its `Config`.

    Args:
        kind: kind of the class.
        content: `name` and the class's fields; without a `study_dir` also `source`, as stored in a
            trial.
        study_dir: folder where a relative path starts; None: the content comes from a trial.

    Raises:
        ValidationError: fields or the file are wrong; the error lists all mistakes.
    """
    try:
        if study_dir is not None and "source" in content:
            raise Misfit(
                ("source",), "is the text of the file, which is filled in automatically; remove it"
            )
        path, _, class_name = content["name"].rpartition(":")
        source = content.get("source") or _read((study_dir or Path()) / path, path)
        section = _section(kind, _class(kind, source, path, class_name))
    except Misfit as misfit:
        raise _error(content, [(misfit.path, str(misfit))]) from None
    return checked(section, {**content, "source": source})


def checked(section: type[AnySection], content: dict[str, Any]) -> AnySection:
    """Return `content` validated as a section that is not a member of the union.

    Raises:
        ValidationError: the content is wrong. `explain` treats its mistakes as if the section were
            a member of the union.
    """
    try:
        return section.model_validate(content)
    except ValidationError as error:
        raise _error(content, explain(error, section)) from None


def _error(content: dict[str, Any], mistakes: Any) -> ValidationError:
    details: list[InitErrorDetails] = [
        {
            "type": "value_error",
            "loc": (content["name"],),
            "input": content,
            "ctx": {"error": Misfit(path, message)},
        }
        for path, message in mistakes
    ]
    return ValidationError.from_exception_data("own", details)


def _wrong(message: str) -> Misfit:
    return Misfit(("name",), message)


def _read(file: Path, shown: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise _wrong(f"there is no file {shown} in {file.parent}") from None
    except UnicodeDecodeError as error:
        raise _wrong(f"{shown} is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise _wrong(f"{shown} cannot be read: {error.strerror}") from None


def _class(kind: str, source: str, path: str, name: str) -> type:
    """Return the class `name` of the file. Raises Misfit if it is missing or not usable."""
    classes = {
        key: value for key, value in vars(_module(source, path)).items() if isinstance(value, type)
    }
    found = classes.get(name)
    full_name, shown_name = BASES[kind]
    if found is None:
        raise _wrong(f"{path} has no class `{name}`{suggestion(name, list(classes))}")
    if full_name not in {f"{base.__module__}.{base.__qualname__}" for base in found.__mro__}:
        raise _wrong(f"`{name}` of {path} is not a {kind}: derive it from {shown_name}")
    fields = found.__dict__.get("Config")
    if not (isinstance(fields, type) and issubclass(fields, Section)):
        raise _wrong(
            f"`{name}` of {path} needs its fields: a `class Config(Section)`, from trainable.api"
        )
    if kind == "method" and "networks" not in fields.model_fields:
        raise _wrong(
            f"`{name}.Config` of {path} does not say how many networks are trained: `networks: int "
            "= 2`"
        )
    return found


def own_function(name: str) -> Callable[..., object]:
    """Return the function `FILE.py:FUNCTION`; a relative path starts at the working directory.

    Raises:
        Misfit: the file or the function does not exist, or the file fails.
    """
    path, _, function_name = name.rpartition(":")
    content = vars(_module(_read(Path(path), path), path))
    found = content.get(function_name)
    if found is None:
        functions = [key for key, value in content.items() if callable(value)]
        raise _wrong(
            f"{path} has no function `{function_name}`{suggestion(function_name, functions)}"
        )
    if not callable(found):
        raise _wrong(f"`{function_name}` of {path} is not a function")
    return cast(Callable[..., object], found)


@functools.cache
def _module(source: str, path: str) -> types.ModuleType:
    """Run the file once in this process and return it as a module.

    Raises:
        Misfit: the file fails; the message has the line.
    """
    module = types.ModuleType(f"own_{hashlib.sha256(source.encode()).hexdigest()[:16]}")
    module.__file__ = path
    sys.modules[module.__name__] = module  # pydantic resolves annotations there
    try:
        exec(compile(source, path, "exec"), vars(module))
    except (Exception, SystemExit) as error:
        del sys.modules[module.__name__]
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == path
        ]
        line = lines[-1] if lines else None
        text = str(error)
        if isinstance(error, SyntaxError):
            line = error.lineno
            text = error.msg
        raise _wrong(f"{path}:{line}: {type(error).__name__}: {text}") from None
    return module


@functools.cache
def _section(kind: str, implementation: type) -> type[Own]:
    fields: type[Section] = implementation.Config  # type: ignore[attr-defined]
    bases: Any = (Own, fields)
    if kind == "method":
        # MethodConfig comes last, so the class's own `Config` overrides its defaults.
        bases = (Own, fields, MethodConfig)
    section: type[Own] = create_model(implementation.__name__, __base__=bases)
    section.implementation = implementation
    return section
