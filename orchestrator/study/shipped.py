"""The studies that come with the program: `run ablation` finds `studies/ablation.yaml`."""

from pathlib import Path

from orchestrator.exit_codes import WRONG, Ended
from trainable.config.messages import suggestion

PACKAGE = Path(__file__).resolve().parents[1]


def folder() -> Path:
    """Return the folder of the shipped studies: in a wheel or in a checkout."""
    installed = PACKAGE / "studies"
    return installed if installed.is_dir() else PACKAGE.parent / "studies"


def study_file(path: Path) -> Path:
    """Return the file of a study; a file that exists wins over the name of a shipped study.

    Raises:
        Ended: a name without an ending is neither.
    """
    if path.is_file() or path.suffix or len(path.parts) != 1:
        return path
    names = [file.stem for file in folder().glob("*.yaml")]
    if path.name in names:
        return folder() / f"{path.name}.yaml"
    raise Ended(
        f"{path}: there is neither such a file nor a shipped study of this name"
        f"{suggestion(path.name, names)}",
        WRONG,
    )
