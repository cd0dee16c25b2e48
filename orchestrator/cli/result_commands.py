"""The commands that show results: status, report."""

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import RunDir, console
from orchestrator.exit_codes import WRONG, Ended
from orchestrator.results.store import Store
from trainable.storage.names import JOURNAL

app = typer.Typer()


@app.command()
def status(
    run_dir: RunDir,
    watch: Annotated[
        bool, typer.Option("--watch", help="Refresh every two seconds, until q or Ctrl-C.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the state as JSON.")] = False,
) -> None:
    """Show the state of every arm, from the files alone."""
    from orchestrator.display import status_page
    from orchestrator.display.watch import watch as refresh

    place = Store(run_dir)
    place.read_plan()
    if as_json and watch:
        raise Ended("--json prints the state once: leave out --watch", WRONG)
    if as_json:
        print(json.dumps(status_page.as_data(place), indent=1))
    elif watch:
        refresh(partial(status_page.show, place), console, every=2)
    else:
        status_page.show(place, console)


@app.command()
def report(
    run_dirs: Annotated[list[Path], typer.Argument(metavar="RUN_DIR…", help="Results of studies.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object; the pages are written, too.")
    ] = False,
) -> None:
    """Compare the arms of each study: a page, tables and figures below RUN_DIR/report."""
    from analysis.report.write import write
    from analysis.results.read import read_results
    from orchestrator.display.comparison_table import show

    for run_dir in run_dirs:
        Store(run_dir).read_plan()
    if as_json:
        from orchestrator.display.report_data import as_data

        every = [read_results(run_dir) for run_dir in run_dirs]
        print(json.dumps({"studies": [as_data(each, write(each)) for each in every]}, indent=1))
        return
    for run_dir in run_dirs:
        results = read_results(run_dir)
        show(results, console)
        files = write(results)
        if run_dir.joinpath(JOURNAL).is_file():
            from orchestrator.display.search_live import show_optimism, show_ranks

            show_optimism(Store(run_dir), console)
            show_ranks(Store(run_dir), console)
        for path in files:
            console.print(str(path))
