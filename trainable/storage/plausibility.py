"""What readers rely on in a summary and in rows, and what binds the two.

A trial that was made before there were checksums is checked by this alone.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from trainable.storage import names
from trainable.storage.checksums import Damaged
from trainable.storage.last_epochs import MOST, last_epochs
from trainable.storage.rows import is_number

NEEDED = (names.LAST10, "data_hash", "noise_hash")
"""Fields that every summary has."""
ROUNDING = 1e-6
"""Greatest difference of two means of the same numbers, percentage points."""


def check_summary(summary: Mapping[str, Any]) -> None:
    """Check the fields of a summary. Raises Damaged."""
    for name in NEEDED:
        if name not in summary:
            raise Damaged(f"{names.SUMMARY} has no {name}")
    for name, value in summary.items():
        if names.is_metric(name) and not is_number(value):
            raise Damaged(f"{names.SUMMARY}: {name} is {value!r}, not a number")
    noise_rate = summary.get("noise_rate")
    if noise_rate is not None and not is_number(noise_rate):
        raise Damaged(f"{names.SUMMARY}: noise_rate is {noise_rate!r}, not a number")
    for name in ("data_hash", "noise_hash"):
        if not isinstance(summary[name], str | None):
            raise Damaged(f"{names.SUMMARY}: {name} is {summary[name]!r}, not a text")


def check_rows(rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> None:
    """Check that there is a row for every epoch, and that the summary is one of these rows.

    Raises:
        Damaged: a row is missing, or the summary has other values.
    """
    for epoch, row in enumerate(rows, start=1):
        if row["epoch"] != epoch:
            raise Damaged(f"{names.METRICS_FILE}: row {epoch} is not that of epoch {epoch}")
    trained = summary.get("epochs", len(rows))
    if trained != len(rows):
        raise Damaged(f"{names.METRICS_FILE} has {len(rows)} rows of {trained} epochs")
    accuracies = [row[names.TEST_ACCURACY] for row in rows if names.TEST_ACCURACY in row]
    if len(accuracies) == len(rows) > 0:
        # Earlier versions took ten epochs of short trials, too.
        counts = (last_epochs(len(rows)), MOST)
        mean, earlier = (fmean(accuracies[-count:]) for count in counts)
        written = summary[names.LAST10]
        if min(abs(mean - written), abs(earlier - written)) > ROUNDING:
            raise Damaged(
                f"{names.LAST10} is {written} in {names.SUMMARY}, and {mean} in "
                f"{names.METRICS_FILE}"
            )
