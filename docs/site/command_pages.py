"""Reference of the command line, from its parsers."""

import os
import subprocess
import sys

import typer
from markdown_tables import code, table

from orchestrator.cli.app import app

PROGRAM = "python -m orchestrator"
OTHER_PROGRAMS = (
    "trainable",
    "analysis",
    "analysis report",
    "analysis compare",
    "analysis unpack",
)
"""Commands whose help is shown as it is printed."""

COLUMNS = "96"


def commands() -> str:
    """Return a section for each command."""
    program = typer.main.get_command(app)
    context = program.make_context(PROGRAM, [], resilient_parsing=True)
    sections = []
    for name in program.list_commands(context):
        command = program.get_command(context, name)
        sections.append(_command(name, command, type(context)(command, info_name=name)))
    return "\n\n".join([*sections, *map(_printed_help, OTHER_PROGRAMS)])


def _command(name: str, command, context) -> str:
    """Return a command's title, help, usage and options."""
    usage = " ".join([PROGRAM, name, *command.collect_usage_pieces(context)])
    rows = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record and record[0] != "--help":
            rows.append([code(record[0]), record[1].replace("[", r"\[")])
    parts = [f"### {name}", command.help, f"```text\n{usage}\n```"]
    return "\n\n".join([*parts, table(["argument or option", "meaning"], rows)])


def _printed_help(program: str) -> str:
    command = [sys.executable, "-m", *program.split(), "--help"]
    environment = {**os.environ, "COLUMNS": COLUMNS, "NO_COLOR": "1"}
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return f"### python -m {program}\n\n```text\n{printed.stdout.rstrip()}\n```"
