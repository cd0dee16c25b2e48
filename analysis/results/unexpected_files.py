"""Find files of a results folder that its plan does not contain."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from analysis.results.read import Results
from trainable.storage import names

SEARCHED = re.compile(r"(^|/)trial-\d{4,}/seed=")
"""Folders of a search's trials, which are in its journal."""


def unexpected(results: Results) -> Iterator[str]:
    """Yield sentences about files below `runs/` outside the plan."""
    planned = {str(results.root / folder) for folder in results.trials["folder"]}
    trials = []
    strays = []
    for place, folders, files in os.walk(results.root / names.RUNS):
        # What is in a trial's folder belongs to it.
        folders[:] = [name for name in folders if f"{place}/{name}" not in planned]
        if Path(place).name.startswith("seed=") and names.TRIAL in files:
            folders.clear()
            trials.append(Path(place) / names.TRIAL)
        else:
            strays += [Path(place) / file for file in files if not file.endswith(".study")]
    yield from _unplanned_trials(results, sorted(trials))
    for file in sorted(strays):
        yield f"{file.relative_to(results.root).as_posix()}: belongs to no trial"


def _unplanned_trials(results: Results, trial_files: list[Path]) -> Iterator[str]:
    """Yield sentences about trials that are neither in the plan nor in a search's journal."""
    planned_as = dict(zip(results.trials["id"], results.trials["folder"], strict=True))
    searched = (results.root / names.JOURNAL).is_file()
    for file in trial_files:
        folder = file.parent.relative_to(results.root).as_posix()
        if searched and SEARCHED.search(folder):
            continue
        try:
            identity = json.loads(file.read_bytes())["id"]
        except (OSError, ValueError, KeyError, TypeError):
            yield f"{folder}: not in the study, and its {names.TRIAL} is damaged"
            continue
        twin = planned_as.get(identity)
        if twin:
            yield f"{folder}: not in the study; it is the same trial as {twin}, counted once"
        else:
            yield f"{folder}: not in the study"
