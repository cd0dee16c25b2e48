"""What in a study's folder is not what its plan expects."""

import json
import re
from collections.abc import Iterator

from analysis.results.read import Results
from trainable.storage import names

SEARCHED = re.compile(r"(^|/)trial-\d{4,}/seed=")
"""Folders of a search's trials; its journal knows them."""


def unexpected(results: Results) -> Iterator[str]:
    """Sentences about files below `runs/` that the plan does not know, and about rows that are lost."""
    runs = results.root / names.RUNS
    planned = dict(zip(results.trials["folder"], results.trials["id"], strict=True))
    ids = {identity: folder for folder, identity in planned.items()}
    searched = (results.root / names.JOURNAL).is_file()
    known = {results.root / folder for folder in planned}
    for file in sorted(runs.rglob(f"seed=*/{names.TRIAL}")):
        folder = file.parent.relative_to(results.root).as_posix()
        known.add(file.parent)
        if folder in planned or (searched and SEARCHED.search(folder)):
            continue
        try:
            identity = json.loads(file.read_bytes())["id"]
        except (OSError, ValueError, KeyError, TypeError):
            yield f"{folder}: not in the study, and its {names.TRIAL} is damaged"
            continue
        twin = ids.get(identity)
        yield f"{folder}: not in the study" + (
            f"; it is the same trial as {twin}, counted once" if twin else ""
        )
    for file in sorted(runs.rglob("*")):
        if file.is_file() and file.suffix != ".study" and not known.intersection(file.parents):
            yield f"{file.relative_to(results.root).as_posix()}: belongs to no trial"
    for trial in results.done.to_dict("records"):
        epochs = results.epochs(trial)
        if epochs != trial.get("epochs", epochs):
            yield f"{trial['folder']}: {epochs} of its {trial['epochs']:.0f} rows can be read; curves lack the others"
