"""The command `predict`: classes of new images, by a study's networks."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import DataDir, OwnCode, RunDir, StudyDir, console
from orchestrator.exit_codes import FAILED, WRONG, Ended
from orchestrator.results.store import Store
from trainable.config.runtime import Machine

app = typer.Typer()


@app.command()
def predict(
    run_dir: RunDir,
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGES…",
            help="Image files, folders of them, .npz files; or files of embeddings.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="OUT.csv", help="The table to write.")],
    setting: Annotated[
        str | None, typer.Option(help="The setting, if the study has several.")
    ] = None,
    arm: Annotated[str, typer.Option(help="The arm whose networks predict.")] = "baseline",
    seed: Annotated[
        int | None, typer.Option(help="The seed of the trial; default: the first completed one.")
    ] = None,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Average over all completed seeds of the arm.")
    ] = False,
    top: Annotated[int, typer.Option(min=1, metavar="K", help="Write the K best classes.")] = 1,
    data: DataDir = Path("data"),
    study_dir: StudyDir = Path(),
    own_code: OwnCode = False,
) -> None:
    """Predict the classes of images with a study's networks: a table with probabilities."""
    from analysis.results.selected_trials import NoTrial
    from orchestrator.results.predict import NoPrediction, Selection, completed, write_predictions
    from trainable.errors import DataError
    from trainable.trial.trained_model import load_model

    if seed is not None and ensemble:
        raise Ended("--ensemble uses all seeds: leave out --seed", WRONG)
    if out.exists():
        raise Ended(f"{out} exists already; name another with --out", WRONG)
    if not out.parent.is_dir():
        raise Ended(f"--out {out}: the folder {out.parent} does not exist", WRONG)
    for path in images:
        if not path.exists():
            raise Ended(f"{path} does not exist", WRONG)
    machine = Machine(study_dir=study_dir.resolve(), data_dir=data.resolve())
    place = Store(run_dir)
    try:
        records = completed(place, Selection(setting, arm, seed, ensemble))
        folders = [place.folder(record).path for record in records]
        models = [load_model(folder, machine, own_code) for folder in folders]
        found = write_predictions(models, images, out, top, _print)
    except (DataError, NoPrediction, NoTrial) as error:
        raise Ended(str(error), WRONG) from None
    count = sum(len(model.networks) for model in models)
    shown = ", ".join(record.name for record in records)
    console.print(f"{count} networks ({shown}), {found.predicted} images: {out}")
    if found.skipped:
        console.print(f"{found.skipped} could not be read and are not in the table")
        raise typer.Exit(FAILED)


def _print(sentence: str) -> None:
    console.print(sentence)
