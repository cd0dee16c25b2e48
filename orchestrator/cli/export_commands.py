"""The commands that copy results elsewhere: bundle, export."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import RunDir, console
from orchestrator.exit_codes import REFUSED, Ended
from orchestrator.results.store import Store

app = typer.Typer()


@app.command()
def bundle(
    run_dir: RunDir,
    out: Annotated[Path, typer.Argument(metavar="OUT.tar.xz", help="The file to write.")],
    samples: Annotated[
        bool,
        typer.Option(help="Include the tables of samples, which `audit` needs; most of the size."),
    ] = True,
) -> None:
    """Pack everything that reports need into one file, without weights.

    `python -m analysis unpack` unpacks it.
    """
    from analysis.results.bundle import pack

    Store(run_dir).read_plan()
    console.print(f"{pack(run_dir, out, samples)} files of {run_dir} in {out}")


@app.command()
def export(
    run_dir: RunDir,
    to: Annotated[str, typer.Option(metavar="TRACKER", help="mlflow:URI or wandb-offline:DIR.")],
) -> None:
    """Copy results to an experiment tracker: a run an arm, and below it a run a seed.

    Repeat it at any time: it adds what is new and doubles nothing.
    """
    from orchestrator.trackers.export import export
    from orchestrator.trackers.outcome import TrackerDown
    from orchestrator.trackers.target import parse_target

    target = parse_target(to, "--to")
    Store(run_dir).read_plan()
    try:
        console.print(export(run_dir, target))
    except TrackerDown as error:
        raise Ended(str(error), REFUSED) from None
