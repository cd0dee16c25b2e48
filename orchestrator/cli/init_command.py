"""The command `init`: a study for a user's own data."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import console
from orchestrator.exit_codes import WRONG, Ended
from orchestrator.run import run_study
from orchestrator.study.load import load_study

app = typer.Typer()


@app.command()
def init(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="DIR|FILE.npz", help="Images: CLASS/*.jpg or train/CLASS/*.jpg …, or arrays."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The study file to write; default: named after the data.")
    ] = None,
    trusted_test: Annotated[
        bool,
        typer.Option(
            "--trusted-test", help="The test labels are known to be right; else they are unchecked."
        ),
    ] = False,
) -> None:
    """Survey your own data, print what was found, and write a study for it.

    A few steps are timed, and the study is as large as this machine trains in about an hour.
    """
    from orchestrator.cli import study_size
    from orchestrator.cli.new_study import base, describe, study_text, whole_size
    from trainable.data.survey import survey
    from trainable.errors import DataError

    file = out or Path(f"{base(source)}.yaml")
    if file.exists():
        raise Ended(f"{file} exists already; name another with --out", WRONG)
    try:
        found = survey(source)
    except DataError as error:
        raise Ended(str(error), WRONG) from None
    for line in describe(found):
        console.print(line, markup=False)
    size = whole = whole_size(found)
    about_size: list[str] = []
    file.write_text(study_text(found, source, file, whole, trusted_test), encoding="utf-8")
    planned = load_study(file)
    times = study_size.timed(
        planned, found, run_study.study_machine(file.parent, Path("data"), planned)
    )
    if times is not None:
        size = study_size.fitting(whole.epochs, times)
        about_size = list(study_size.explained(size, whole, times))
        text = study_text(found, source, file, size, trusted_test, about_size)
        file.write_text(text, encoding="utf-8")
    for line in about_size:
        console.print(line, markup=False)
    console.print(f"wrote {file}; next: python -m orchestrator plan {file}", markup=False)
