"""`python -m orchestrator COMMAND`: errors are printed as sentences, with an exit code.

0 all trials done, 1 some failed or unfinished, 2 the study, the data or the command line is wrong,
3 refused (locked, stale, no space), 130 and 143 interrupted; `judge` has codes of its own.
"""

import importlib.metadata
import signal
import sys
from types import FrameType
from typing import Annotated, NoReturn

import typer

from orchestrator.cli import (
    audit_command,
    demo_command,
    embed_command,
    export_commands,
    init_command,
    judge_command,
    plan_command,
    predict_command,
    rerun_commands,
    result_commands,
    study_commands,
    tensorboard_command,
)
from orchestrator.cli.exit_code import EXPECTED, code_of, sentence_of
from orchestrator.plain_console import plain_console
from trainable.terminal import tolerate_encoding

DISTRIBUTION = "dividemix-orchestrator"
"""Name under which the project is installed."""

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Measure which components of DivideMix improve accuracy on your data: "
    "ablations and searches on Ray, from one YAML file.",
)
app.add_typer(study_commands.app)
app.add_typer(plan_command.app)
app.add_typer(init_command.app)
app.add_typer(result_commands.app)
app.add_typer(judge_command.app)
app.add_typer(export_commands.app)
app.add_typer(tensorboard_command.app)
app.add_typer(rerun_commands.app)
app.add_typer(audit_command.app)
app.add_typer(predict_command.app)
app.add_typer(embed_command.app)
app.add_typer(demo_command.app)


def _version(wanted: bool) -> None:
    if wanted:
        print(importlib.metadata.version(DISTRIBUTION))
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", is_eager=True, callback=_version
        ),
    ] = False,
) -> None:
    """Options of the program itself."""


def main() -> None:
    """Run a command; print an error as a sentence, and exit with its code."""
    tolerate_encoding()
    # Typer would turn a KeyboardInterrupt into code 1.
    handled = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, _interrupted) for number in handled}
    try:
        app()
    except EXPECTED as error:
        _exit_with(sentence_of(error), code_of(error))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupted(number: int, frame: FrameType | None) -> NoReturn:
    _exit_with("interrupted", 128 + number)


def _exit_with(message: str, code: int) -> NoReturn:
    plain_console(stderr=True).print(message)
    sys.exit(code)
