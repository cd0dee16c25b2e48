"""The commands that run finished trials again: reproduce, verify."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import DataDir, OwnCode, RunDir, StudyDir, console
from orchestrator.exit_codes import FAILED, WRONG, Ended
from orchestrator.results.store import Store
from trainable.config.runtime import Machine

app = typer.Typer()


@app.command()
def reproduce(
    trial_dir: Annotated[
        Path, typer.Argument(metavar="TRIAL_DIR", help="A finished trial: RUN_DIR/runs/…/seed=n.")
    ],
    data: DataDir = Path("data"),
    study_dir: StudyDir = Path(),
    own_code: OwnCode = False,
) -> None:
    """Run a finished trial again in a new folder, and compare its rows bit for bit."""
    from orchestrator.results.reproduce import NotATrial, reproduce

    machine = Machine(study_dir=study_dir.resolve(), data_dir=data.resolve())
    try:
        found = reproduce(trial_dir, machine, own_code)
    except NotATrial as error:
        raise Ended(str(error), WRONG) from None
    if found.fingerprint:
        console.print(
            f"differs from the original run: {', '.join(found.fingerprint)} "
            "(fingerprint in trial.json)"
        )
    console.print(str(found))
    if not found.identical:
        raise typer.Exit(FAILED)


@app.command()
def verify(
    run_dir: RunDir,
    fraction: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of the finished trials to run; at least one trial."),
    ] = 0.1,
    data: DataDir = Path("data"),
    study_dir: StudyDir = Path(),
    own_code: OwnCode = False,
) -> None:
    """Run random finished trials again, and compare their rows with those on disk."""
    from orchestrator.display import status
    from orchestrator.results import verify
    from orchestrator.results.reproduce import NotATrial, Reproduction

    place = Store(run_dir)
    plan = place.read_plan()
    snapshot = place.planned(plan.records, indexed=False)
    damaged = status.damaged(snapshot.states(plan.records, plan.max_failures), snapshot.files)
    for line in damaged:
        console.print(line)
    try:
        records, finished = verify.drawn(place, fraction)
    except NotATrial as error:
        raise Ended(str(error), WRONG) from None
    console.print(f"{len(records)} of {finished} finished trials are run again")
    machine = Machine(study_dir=study_dir.resolve(), data_dir=data.resolve())
    held = 0
    again = 0
    for record, found in verify.verify(place, records, machine, own_code):
        note = ""
        if isinstance(found, Reproduction):
            again += 1
            if found.fingerprint:
                note = f" (differs from the original run: {', '.join(found.fingerprint)})"
        if verify.holds(found):
            held += 1
        console.print(f"{record.name}: {found}{note}")
    rest = ""
    if again < len(records):
        rest = f"; {len(records) - again} could not be run again"
    console.print(f"{held} of {again} gave the same rows from the same data{rest}")
    if held < len(records) or damaged:
        raise typer.Exit(FAILED)
