"""Reading a study's folder: planned trials with their summaries, and rows per epoch."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from trainable.folder import TrialFolder

PLANNED = ("id", "setting", "arm", "seed", "family", "baseline", "folder")


class NoResults(Exception):
    """A folder holds no study's results."""


@dataclass(frozen=True)
class Results:
    """One study.

    Attributes:
        trials: one row a planned trial: setting ("" where the study has none), arm, seed, id, family, baseline, folder,
            state (done, failed or missing), and the summary's fields of done ones.
    """

    root: Path
    study: str
    trials: pd.DataFrame

    @property
    def done(self) -> pd.DataFrame:
        """Finished trials only."""
        return self.trials[self.trials["state"] == "done"]

    def rows(self, *columns: str) -> pd.DataFrame:
        """Rows of all finished trials: setting, arm, seed, epoch and the named metrics."""
        parts = []
        for trial in self.done.to_dict("records"):
            part = pd.DataFrame(TrialFolder(self.root / trial["folder"]).rows()).reindex(columns=["epoch", *columns])
            parts.append(part.assign(setting=trial["setting"], arm=trial["arm"], seed=trial["seed"]))
        return (
            pd.concat(parts, ignore_index=True)
            if parts
            else pd.DataFrame(columns=["epoch", *columns, "setting", "arm", "seed"])
        )


def read(root: Path) -> Results:
    """Read a study's folder; a trial of another id than planned counts as missing.

    Raises:
        NoResults: there is no readable plan in it.
    """
    try:
        plan = json.loads((root / "trials.json").read_bytes())
        study, planned = plan["study"], [{name: trial[name] for name in PLANNED} for trial in plan["trials"]]
        if not planned:
            raise ValueError("no trials")
    except (OSError, ValueError, KeyError, TypeError):
        raise NoResults(f"{root} holds no study's results (there is no readable trials.json in it)") from None
    rows = []
    for trial in planned:
        folder = TrialFolder(root / trial["folder"])
        ours = (folder.trial or {}).get("id") == trial["id"]
        summary = (folder.summary if ours else None) or {}
        state = "done" if summary else "failed" if ours and folder.failure else "missing"
        rows.append({**summary, **trial, "setting": trial["setting"] or "", "state": state})
    return Results(root, study, pd.DataFrame(rows))
