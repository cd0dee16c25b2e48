"""Completed trials of a study whose data or given labels are not those of its newest trial.

Trials of the same data set in their configurations must have the same images, and trials of the
same noise and seed the same given labels. Where the files have changed between two runs, the newest
trial shows what they are now. This module uses the standard library only.
"""

from collections.abc import Mapping

from analysis.results.study_plan import TrialRecord
from analysis.results.trial_files import DETERMINED_BY, TrialFiles

WHAT = {"data_hash": "data", "content_hash": "images", "noise_hash": "given labels"}


def other_data(completed: Mapping[TrialRecord, TrialFiles]) -> dict[TrialRecord, str]:
    """Return the trials with other data than a newer one, with a reason for each."""
    found: dict[TrialRecord, str] = {}
    for field in DETERMINED_BY:
        groups: dict[str, list[tuple[TrialRecord, str]]] = {}
        for record, files in completed.items():
            determined = files.determined.get(field)
            value = (files.summary or {}).get(field)
            if determined is not None and value is not None:
                groups.setdefault(determined, []).append((record, value))
        for group in groups.values():
            newest, now = max(group, key=lambda each: _finished(completed[each[0]]))
            for record, value in group:
                if value != now:
                    found.setdefault(
                        record, f"trained on other {WHAT[field]} than {newest.name}, which is newer"
                    )
    return found


def _finished(files: TrialFiles) -> float:
    """Return the time of the summary, seconds since 1970."""
    time = (files.summary or {}).get("finished")
    return float(time) if isinstance(time, int | float) else 0.0
