"""The command `tensorboard`: averages of arms, and trials, of several studies."""

from itertools import takewhile
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.exit_codes import WRONG, Ended
from orchestrator.results.store import Store

app = typer.Typer()


@app.command(context_settings={"ignore_unknown_options": True})
def tensorboard(
    arguments: Annotated[
        list[str], typer.Argument(metavar="RUN_DIR… [OPTIONS]", help="Results of studies.")
    ],
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="Show all trials; TensorBoard selects none of more than 40 runs."
        ),
    ] = False,
) -> None:
    """Open TensorBoard over studies: the average of each arm, and trials.

    Options after the folders, such as --port 6007, are TensorBoard's own.
    """
    from orchestrator.display.tensorboard.server import serve

    run_dirs = [Path(text) for text in takewhile(lambda text: not text.startswith("-"), arguments)]
    if not run_dirs:
        raise Ended(
            "tensorboard: which study? Name its results folder first, then TensorBoard's options",
            WRONG,
        )
    for run_dir in run_dirs:
        Store(run_dir).read_plan()
    try:
        code = serve(run_dirs, arguments[len(run_dirs) :], everything)
    except ValueError as error:
        raise Ended(f"tensorboard: {error}", WRONG) from None
    raise typer.Exit(code)
