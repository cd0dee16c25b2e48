"""Arguments, options and the console that several commands share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from orchestrator.plain_console import plain_console
from orchestrator.study.shipped import study_file

console = plain_console()

StudyPath = Annotated[
    Path,
    typer.Argument(
        metavar="STUDY",
        help="The study file, or the name of a shipped study (ablation).",
        callback=study_file,
    ),
]
RunDir = Annotated[
    Path,
    typer.Argument(metavar="RUN_DIR", help="A study's results, for instance results/ablation."),
]
Results = Annotated[Path, typer.Option(help="Parent of the results folders.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key, e.g. base.train.epochs=3."),
]
DataDir = Annotated[Path, typer.Option("--data", help="Folder of named data sets (CIFAR-10).")]
StudyDir = Annotated[Path, typer.Option(help="Folder of the study file, for relative data paths.")]
OwnCode = Annotated[
    bool, typer.Option("--own-code", help="Run own methods and models that the results contain.")
]
Stale = Annotated[
    Literal["refuse", "archive"],
    typer.Option(help="What to do with trials whose configuration the study has changed."),
]
SameCode = Annotated[
    bool,
    typer.Option("--same-code", help="Treat trials of another version of the code as stale, too."),
]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Try failed trials again.")]
Several = Annotated[
    str, typer.Option(metavar="A,B*", help="Only these: names or patterns, separated by commas.")
]
Seeds = Annotated[
    str, typer.Option(metavar="0-3,8", help="Only these: numbers or ranges, separated by commas.")
]
Track = Annotated[
    str | None,
    typer.Option(
        metavar="TRACKER",
        help="Export to mlflow:URI or wandb-offline:DIR, every half a minute and at the end.",
    ),
]
