"""The exit code that an exception leads to, for the program and for those that wait for it."""

import typer

from analysis.results.study_plan import NoStudy
from orchestrator.exit_codes import FAILED, REFUSED, WRONG, Ended
from orchestrator.results.lock import Locked
from trainable.config.strict_yaml import ConfigError

EXPECTED = (Ended, ConfigError, NoStudy, Locked, OSError)
"""Exceptions that are printed as a sentence."""


def code_of(end: BaseException) -> int:
    """Return the exit code."""
    match end:
        case typer.Exit():
            return int(end.exit_code)
        case Ended():
            return end.code
        case ConfigError() | NoStudy():
            return WRONG
        case Locked() | OSError():
            return REFUSED
        case SystemExit():
            return end.code if isinstance(end.code, int) else FAILED
    return FAILED


def sentence_of(error: Exception) -> str:
    """Return the sentence for one of the `EXPECTED` exceptions."""
    if isinstance(error, OSError):
        return f"{error.filename or ''}: {error.strerror or error}".lstrip(": ")
    return str(error)
