"""Completed trials of a study whose data or given labels are not those of its newest trial.

Trials of the same data set in their configurations must have the same images, and trials of the
same noise and seed the same given labels. Where the files have changed between two runs, the newest
trial shows what they are now. This module uses the standard library only.
"""

import json
from collections.abc import Mapping
from typing import Any

from analysis.results.study_plan import TrialRecord
from analysis.results.trial_files import TrialFiles

COMPARED = {
    "data_hash": ("data",),
    "content_hash": ("data",),
    "noise_hash": ("data", "noise", "seed"),
}
"""Hash in a summary → parts of a configuration that determine it. Older trials lack the second."""
WHAT = {"data_hash": "data", "content_hash": "images", "noise_hash": "given labels"}


def other_data(completed: Mapping[TrialRecord, TrialFiles]) -> dict[TrialRecord, str]:
    """Return the trials with other data than a newer one, with a reason for each."""
    found: dict[TrialRecord, str] = {}
    for field, parts in COMPARED.items():
        groups: dict[str, list[TrialRecord]] = {}
        for record, files in completed.items():
            config = (files.trial or {}).get("config")
            if _summary(files).get(field) is None or not isinstance(config, dict):
                continue
            if all(part in config for part in parts):
                key = json.dumps([config[part] for part in parts], sort_keys=True)
                groups.setdefault(key, []).append(record)
        for hashed in groups.values():
            newest = max(hashed, key=lambda record: _finished(completed[record]))
            now = _summary(completed[newest])[field]
            for record in hashed:
                if _summary(completed[record])[field] != now:
                    found.setdefault(
                        record, f"trained on other {WHAT[field]} than {newest.name}, which is newer"
                    )
    return found


def _summary(files: TrialFiles) -> dict[str, Any]:
    return files.summary or {}


def _finished(files: TrialFiles) -> float:
    """Return the time of the summary, seconds since 1970."""
    time = _summary(files).get("finished")
    return float(time) if isinstance(time, int | float) else 0.0
