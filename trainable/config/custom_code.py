"""Methods and models from somebody's own file: `name: FILE.py:CLASS` in place of a known name.

The file's text becomes a field of the trial. So it is part of the trial's id, reaches the process
that trains, and stays with the results; the file may change or go while a study runs. It is run
when a study that names it is read, and wherever its trials are built. The standard library and
pydantic only: what else is loaded is up to the file.
"""

import functools
import hashlib
import sys
import traceback
import types
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

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
"""What an own class must be derived from: as Python names it, and as people do."""


class Own(Section):
    """Fields of an own method or model: those of its class `Config`, and where they come from."""

    implementation: ClassVar[type]
    name: str
    """FILE.py:CLASS. Counts as written, and only by its class; a relative path is looked up beside
    the study file."""
    source: Annotated[str, Field(repr=False)]
    """Text of the file, filled in when a study is read."""


def is_own(name: Any) -> bool:
    """Whether a name is that of a class in a file."""
    return isinstance(name, str) and ".py:" in name


def own_section(
    kind: Literal["method", "model"], content: dict[str, Any], study_dir: Path | None
) -> Own:
    """The fields of an own class, checked by its `Config`.

    Args:
        kind: what the class must be.
        content: `name` and the class's fields; without a `study_dir` also `source`, as a trial
            keeps it.
        study_dir: where a relative path starts, when a study is read.

    Raises:
        ValidationError: with every mistake, those in the file among them.
    """
    try:
        if study_dir is not None and "source" in content:
            raise Misfit(
                ("source",), "is the text of the file, which is filled in by itself: leave it out"
            )
        path, _, class_name = content["name"].rpartition(":")
        source = content.get("source") or _read((study_dir or Path()) / path, path)
        section = _section(kind, _class(kind, source, path, class_name))
    except Misfit as misfit:
        raise _error(content, [(misfit.path, str(misfit))]) from None
    return checked(section, {**content, "source": source})


def checked(section: type[AnySection], content: dict[str, Any]) -> AnySection:
    """`content` as that section, outside a union.

    Raises:
        ValidationError: whose mistakes `explain` finds as if the section were a member of the
            union.
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
    """The class `name` of the file. Raises Misfit if it is not there or not fit for use."""
    there = {
        key: value for key, value in vars(_module(source, path)).items() if isinstance(value, type)
    }
    found = there.get(name)
    python_name, people_say = BASES[kind]
    if found is None:
        raise _wrong(f"{path} has no class `{name}`{suggestion(name, list(there))}")
    if python_name not in {f"{base.__module__}.{base.__qualname__}" for base in found.__mro__}:
        raise _wrong(f"`{name}` of {path} is no {kind}: derive it from {people_say}")
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


@functools.cache
def _module(source: str, path: str) -> types.ModuleType:
    """The file as a module, run once in this process. Raises Misfit with the line at which it
    fails."""
    module = types.ModuleType(f"own_{hashlib.sha256(source.encode()).hexdigest()[:16]}")
    module.__file__ = path
    sys.modules[module.__name__] = module  # pydantic looks up the names of annotations there
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
        # The defaults of MethodConfig come last: what the class's own `Config` says counts.
        bases = (Own, fields, MethodConfig)
    section: type[Own] = create_model(implementation.__name__, __base__=bases)
    section.implementation = implementation
    return section
