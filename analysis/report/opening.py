"""The first lines of a report: what was asked, on which data, and the answer."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.report import cells, verdicts
from analysis.results.measure import WITHHELD
from analysis.results.read import Results, value_at
from analysis.results.registration import Registration
from analysis.results.study_plan import BASELINE

MEAN = "mean of the last epochs"
NO_RESULT = "without a result"


@dataclass(frozen=True)
class Opening:
    """The first lines of a report.

    Attributes:
        asked: the question.
        data: of each setting, its data, its noise and what its baseline reached.
        answers: first to the primary question of each setting, then how many others are decided.
        registered: whether what is asked was registered before the first result, and what has
            changed since.
    """

    asked: str
    data: list[str]
    answers: list[str]
    registered: list[str]

    @property
    def sections(self) -> dict[str, list[str]]:
        """The lines under their headings."""
        return {
            "Asked": [self.asked],
            "Data and baseline": self.data,
            "Answer": self.answers,
            "Registration": self.registered,
        }


def opening(
    results: Results,
    table: pd.DataFrame,
    registration: Registration,
    notes: Sequence[str] = (),
    caution: str | None = None,
) -> Opening:
    """Return the first lines of a report.

    Args:
        results: the results.
        table: the comparison of arms.
        registration: what was registered.
        notes: what the verdicts rest on, if the test labels are unchecked.
        caution: what must be known of these labels.
    """
    rows = table.to_dict("records")
    asked = [row for row in rows if row["paired"]]
    return Opening(
        asked=_asked(results, asked),
        data=[*_all_data(results, rows), *([caution] if caution else []), *notes],
        answers=list(_answers(results, asked)),
        registered=list(_registered(registration)),
    )


def _asked(results: Results, rows: list[dict[Any, Any]]) -> str:
    arms = {row["arm"] for row in rows}
    metric = f"{results.measure.name}, {MEAN}"
    if results.primary is None:
        return f"Which of {len(arms)} arms are better or worse than the baseline? ({metric})"
    others = len(arms - {results.primary})
    more = f", and {others} other arms" if others else ""
    return f"Is {results.primary} better or worse than the baseline{more}? ({metric})"


def _all_data(results: Results, rows: list[dict[Any, Any]]) -> Iterator[str]:
    """Yield the data of each setting."""
    for row in rows:
        if row["arm"] == BASELINE:
            yield _data(results, row)


def _data(results: Results, row: dict[Any, Any]) -> str:
    """Write `digits, symmetric noise, 45.1 % …: dividemix reached 97.1 ± 0.4 % on 8 seeds`."""
    trials = results.done
    here = trials[(trials["setting"] == row["setting"]) & (trials["arm"] == BASELINE)]
    first = results.first_done(row["setting"], BASELINE)
    if first is None:
        text = "the baseline has no result yet"
    else:
        config = results.config(first)
        method = value_at(config, "method.name") or "the baseline"
        reached = cells.spread(row["mean"], row["sd"])
        agreement = "" if results.measure.decides else f" {results.measure.cell}"
        text = (
            f"{_name(value_at(config, 'data'))}{_skipped(here)}, {_noise(config, here)}: "
            f"{method} reached {reached} %{agreement} on {_seeds(cells.finished(row))}"
        )
    return f"{row['setting']}: {text}" if row["setting"] else text


def _name(data: Any) -> str:
    """Return the name of a data set, with the last part of its path."""
    if not isinstance(data, dict):
        return "unknown data"
    path = data.get("path")
    return f"{data.get('name')} {Path(str(path)).name}" if path else str(data.get("name"))


def _skipped(trials: pd.DataFrame) -> str:
    """Write ` (2 unreadable images skipped)`; "" if none is."""
    if "skipped_images" not in trials:
        return ""
    count = trials["skipped_images"].max()
    if not cells.known(count):
        return ""
    images = "image" if count == 1 else "images"
    return f" ({count:.0f} unreadable {images} skipped)"


def _noise(config: dict[str, Any], trials: pd.DataFrame) -> str:
    """Write the kind of noise, and the measured share of wrong labels."""
    kind = value_at(config, "noise.name")
    kind = "labels as they are" if kind in (None, "none") else f"{kind} noise"
    rates = trials["noise_rate"].dropna() if "noise_rate" in trials else pd.Series(dtype=float)
    if rates.empty:
        return f"{kind}, unknown how many are wrong"
    return f"{kind}, {100 * rates.mean():.1f} % of the training labels wrong"


def _answers(results: Results, rows: list[dict[Any, Any]]) -> Iterator[str]:
    primary = [row for row in rows if row["arm"] == results.primary]
    for row in primary:
        yield _answer(row, results.margin)
    others = [row for row in rows if row["arm"] != results.primary]
    counts = Counter(row["verdict"] or NO_RESULT for row in others)
    if not others:
        return
    decided = len(others) - sum(counts[name] for name in ("inconclusive", WITHHELD, NO_RESULT))
    ordered = [*verdicts.VERDICTS, NO_RESULT]
    listed = ", ".join(f"{counts[verdict]} {verdict}" for verdict in ordered if counts[verdict])
    which = "other questions" if primary else "questions"
    yield f"{decided} of {len(others)} {which} decided: {listed}"


def _answer(row: dict[Any, Any], margin: float) -> str:
    """Write the answer to a question as a sentence."""
    verdict = row["verdict"]
    subject = f"{row['setting']}: {row['arm']}" if row["setting"] else row["arm"]
    if verdict == "equivalent":
        said = f"is equivalent to the baseline within ±{margin:g} points"
    elif verdict == WITHHELD:
        said = "is not judged, because the test labels are unchecked"
    elif verdict in ("", "inconclusive"):
        said = "is not yet decided"
    elif verdict.endswith("by failures"):
        said = f"is {verdict.split()[0]} than the baseline, because of failures"
    else:
        said = f"is {verdict} than the baseline"
    text = f"{subject} {said}"
    if measured := _measured(row):
        text += f" ({', '.join(measured)})"
    text += verdicts.overturned(row)
    if row["fails_more"] or row["fails_less"]:
        text += f"; it {verdicts.failures(row)}"
    return text


def _measured(row: dict[Any, Any]) -> list[str]:
    """Return the difference, the number of seeds, and what the verdict rests on."""
    seeds = _seeds(f"{row['seeds']:.0f}")
    if row.get("judged_by"):
        return [verdicts.measured(row), seeds, f"by {row['judged_by']}"]
    if row["verdict"] == WITHHELD:
        return [verdicts.measured(row), seeds]
    measured = []
    if cells.known(row["difference"]):
        measured.append(f"{cells.interval(row['difference'], row['low'], row['high'])} points")
        measured.append(seeds)
    if cells.known(row["p_adjusted"]):
        measured.append(f"p {cells.p_value(row['p_adjusted'])}")
    return measured


def _seeds(count: str) -> str:
    return f"{count} seed" if count == "1" else f"{count} seeds"


def _registered(registration: Registration) -> Iterator[str]:
    yield from registration.problems
    if not registration.questions:
        yield "what is asked was not registered before the results"
        return
    deviations = list(registration.deviations())
    if not deviations:
        yield "registered before the first result; nothing has changed since"
    yield from deviations
