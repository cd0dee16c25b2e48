"""The command `demo`: a finished ablation, search and label audit to look at."""

import shlex
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from analysis.results.bundle import NotABundle
from orchestrator.cli.options import console
from orchestrator.demo.bundles import unpack_all, write_pages
from orchestrator.demo.finished_study import FinishedStudy
from orchestrator.exit_codes import WRONG, Ended
from trainable.storage.names import STUDY

app = typer.Typer()


@app.command()
def demo(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="Where to unpack; default: a new temporary folder."),
    ] = None,
    open_: Annotated[
        bool, typer.Option("--open", help="Open the report of the ablation in a browser.")
    ] = False,
) -> None:
    """Look at a finished ablation, search and label audit; nothing is trained."""
    place = folder or Path(tempfile.mkdtemp(prefix="dividemix-demo-"))
    try:
        roots = unpack_all(place)
    except NotABundle as error:
        raise Ended(str(error), WRONG) from None
    console.print(
        f"Two finished studies are in {place}. Nothing is trained; their pages are written …"
    )
    studies = write_pages(roots)
    for study in studies:
        _show(study)
    _show_next(roots[0])
    if open_:
        _open(studies[0].report)


def _show(study: FinishedStudy) -> None:
    """Print the question, the answers, the pages, and the commands that made them."""
    lines = [("asked", study.asked)]
    lines += [("answer", sentence) for sentence in study.answers]
    lines += [("labels", sentence) for sentence in study.of_labels]
    lines += [("report", str(study.report))]
    if study.audit is not None:
        lines += [("audit", str(study.audit))]
    lines += [("made by", command) for command in study.commands]
    console.print(f"\n{study.root.name}", style="bold")
    before = ""
    for title, text in lines:
        console.print(f"  {'' if title == before else title:<8} {text}")
        before = title


def _show_next(root: Path) -> None:
    """Print commands to try on the results."""
    study = shlex.quote(str(root / STUDY))
    results = shlex.quote(str(root.parent))
    console.print(
        f"\nState of its trials: python -m orchestrator status {shlex.quote(str(root))}\n"
        f"Run it again, which skips completed trials: "
        f"python -m orchestrator run {study} --results {results}"
    )


def _open(page: Path) -> None:
    """Open a page in the user's browser; say so if there is none."""
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        console.print("--open: no browser was found; open the page yourself")
