"""The command `init`: a study for a user's own data."""

import shlex
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
            metavar="DIR|FILE.npz",
            help="Images: CLASS/*.jpg or train/CLASS/*.jpg …, or arrays; or embeddings: .npz, "
            ".npy with labels.csv, .parquet, or a folder of these.",
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
    from orchestrator.cli.new_study import base
    from trainable.data.embedding_files import is_embeddings
    from trainable.errors import DataError

    file = out or Path(f"{base(source)}.yaml")
    if file.exists():
        raise Ended(f"{file} exists already; name another with --out", WRONG)
    try:
        if is_embeddings(source):
            _write_for_embeddings(source, file, trusted_test)
        else:
            _write_for_images(source, file, trusted_test)
    except DataError as error:
        raise Ended(str(error), WRONG) from None
    quoted = shlex.quote(str(file))
    console.print(f"wrote {file}; next: python -m orchestrator plan {quoted}")


def _write_for_embeddings(source: Path, file: Path, trusted_test: bool) -> None:
    """Write the study for vectors of features, which train in minutes."""
    from orchestrator.cli import new_embeddings_study
    from orchestrator.cli.new_study import base
    from trainable.data.embeddings_survey import survey_embeddings

    found = survey_embeddings(source)
    for line in new_embeddings_study.describe(found):
        console.print(line)
    text = new_embeddings_study.study_text(found, source, file, base(source), trusted_test)
    file.write_text(text, encoding="utf-8")


def _write_for_images(source: Path, file: Path, trusted_test: bool) -> None:
    """Write the study for images, as large as this machine trains in about an hour."""
    from orchestrator.cli import study_size
    from orchestrator.cli.new_study import describe, study_text, whole_size
    from trainable.data.survey import survey

    found = survey(source)
    for line in describe(found):
        console.print(line)
    whole = whole_size(found)
    file.write_text(study_text(found, source, file, whole, trusted_test), encoding="utf-8")
    planned = load_study(file)
    times = study_size.timed(
        planned, found, run_study.study_machine(file.parent, Path("data"), planned)
    )
    if times is None:
        return
    size = study_size.fitting(whole.epochs, times)
    about_size = list(study_size.explained(size, whole, times))
    text = study_text(found, source, file, size, trusted_test, about_size)
    file.write_text(text, encoding="utf-8")
    for line in about_size:
        console.print(line)
