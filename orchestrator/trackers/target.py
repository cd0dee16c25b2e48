"""Where results are exported to: `mlflow:URI` or `wandb-offline:DIR`."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.exit_codes import WRONG, Ended
from orchestrator.trackers.outcome import Exported

if TYPE_CHECKING:
    # It loads pandas, which `plan` and `run` do not need.
    from orchestrator.trackers.content import StudyContent

EXTRAS = {"mlflow": "mlflow", "wandb-offline": "wandb"}
"""Kind of tracker → its Python package, which is also the name of the extra."""


@dataclass(frozen=True)
class Target:
    """A tracker; `place` is its address or its folder."""

    kind: str
    place: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.place}"

    def export(self, content: "StudyContent") -> Exported:
        """Bring the tracker up to date with a study. Raises TrackerDown."""
        if self.kind == "mlflow":
            from orchestrator.trackers import mlflow_tracker

            return mlflow_tracker.export(content, self.place)
        from orchestrator.trackers import wandb_offline

        return wandb_offline.export(content, self.place)


def parse_target(text: str, option: str) -> Target:
    """Read a target.

    Args:
        text: `mlflow:URI` or `wandb-offline:DIR`.
        option: the option that has it, for messages.

    Raises:
        Ended: it is no target, or the package of the tracker is not installed.
    """
    kind, _, place = text.partition(":")
    if kind not in EXTRAS or not place:
        raise Ended(
            f"{option} {text}: it is mlflow:URI, such as mlflow:http://127.0.0.1:5000, or "
            "wandb-offline:DIR",
            WRONG,
        )
    if kind == "mlflow" and "://" not in place:
        raise Ended(
            f"{option} {text}: {place} is no address. Write mlflow:http://HOST:PORT, or "
            "mlflow:sqlite:///FILE for a local store",
            WRONG,
        )
    if "@" in place and kind == "mlflow":
        raise Ended(
            f"{option}: the address has a name or a password, which would be stored and shown. Set "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
            WRONG,
        )
    package = EXTRAS[kind]
    if importlib.util.find_spec(package) is None:
        raise Ended(
            f"{option} {text}: the package {package} is not installed: "
            f"pip install 'dividemix-orchestrator[{package}]'",
            WRONG,
        )
    if kind == "wandb-offline":
        place = str(Path(place).resolve())
    return Target(kind, place)
