"""Reference of the command line, from its parsers."""

import contextlib
import io
import os
import runpy
import sys
from unittest import mock

import typer
from markdown_tables import code, table

from orchestrator.cli.app import app

PROGRAM = "python -m orchestrator"
OTHER_PROGRAMS = ("trainable", "analysis")
"""Packages whose help is shown as it is printed."""

COLUMNS = "96"
BRACES = str.maketrans("", "", "{}")
"""Typer puts compulsory arguments into braces."""


def commands() -> str:
    """Return a section for each command."""
    program = typer.main.get_command(app)
    context = program.make_context(PROGRAM, [], resilient_parsing=True)
    sections = []
    for name in program.list_commands(context):
        command = program.get_command(context, name)
        sections.append(_command(name, command, type(context)(command, info_name=name)))
    return "\n\n".join(["## All commands", *sections, *map(_printed_help, OTHER_PROGRAMS)])


def _command(name: str, command, context) -> str:
    """Return a command's title, help, usage and options."""
    usage = " ".join([PROGRAM, name, *command.collect_usage_pieces(context)])
    usage = usage.translate(BRACES).replace("…...", "…")
    rows = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record and record[0] != "--help":
            rows.append([code(record[0]), record[1].replace("[", r"\[")])
    parts = [f"### {name}", command.help, f"```text\n{usage}\n```"]
    return "\n\n".join([*parts, table(["argument or option", "meaning"], rows)])


def _printed_help(program: str) -> str:
    """Return what `--help` prints."""
    printed = io.StringIO()
    width = {"COLUMNS": COLUMNS, "NO_COLOR": "1"}
    arguments = [program, "--help"]
    with (
        mock.patch.dict(os.environ, width),
        mock.patch.object(sys, "argv", arguments),
        contextlib.redirect_stdout(printed),
        contextlib.suppress(SystemExit),
    ):
        runpy.run_module(program, run_name="__main__")
    return f"### python -m {program}\n\n```text\n{printed.getvalue().rstrip()}\n```"
