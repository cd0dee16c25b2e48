"""The command `embed`: features of images by a fixed model, for `data.name: embeddings`."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from orchestrator.cli.options import DataDir, console
from orchestrator.exit_codes import WRONG, Ended
from trainable.config.runtime import Machine

app = typer.Typer()


@app.command()
def embed(
    images: Annotated[
        str,
        typer.Argument(
            metavar="DIR", help="Folder of images, .npz file, or name of a data set (mnist)."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FEATURES.npz", help="The file to write.")],
    model: Annotated[
        str,
        typer.Option(help="random, pca, torchvision:NAME, timm:NAME or FILE.py:FUNCTION."),
    ],
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Weights of the network; nothing is downloaded."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=8, max=1024, help="Scale images to squares of this side, pixels; else by model."
        ),
    ] = None,
    skip_unreadable: Annotated[
        bool,
        typer.Option(
            "--skip-unreadable", help="Leave damaged images of a folder out, and name them."
        ),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of --model random and pca.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    data: DataDir = Path("data"),
) -> None:
    """Write the features of images; an interrupted call resumes."""
    from trainable.embedding.embed import Request
    from trainable.embedding.embed import embed as write_features
    from trainable.errors import DataError

    if out.suffix != ".npz":
        raise Ended(f"--out {out}: the file is an .npz file; name it {out.stem}.npz", WRONG)
    if out.exists():
        raise Ended(f"{out} exists already; name another with --out", WRONG)
    if not out.parent.is_dir():
        raise Ended(f"--out {out}: the folder {out.parent} does not exist", WRONG)
    threads = len(os.sched_getaffinity(0))
    machine = Machine(data_dir=data.resolve(), device=device, threads=threads)
    request = Request(images, model, weights, size, seed, skip_unreadable)
    try:
        with _progress() as progress:
            task = progress.add_task("images", total=None)
            found = write_features(
                request,
                out,
                machine,
                lambda done, total: progress.update(task, completed=done, total=total),
            )
    except DataError as error:
        raise Ended(str(error), WRONG) from None
    text = f"{out}: {found.rows} rows of {found.width} features"
    if found.resumed:
        text += f", {found.resumed} of them by an earlier call"
    console.print(text)
    if found.left_out:
        console.print(found.left_out)


def _progress() -> Progress:
    """Return a progress bar of images."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
