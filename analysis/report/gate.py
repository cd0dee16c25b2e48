"""The answer to one question of a study, for scripts: the command `judge`."""

from typing import Any

from analysis.report import verdicts
from analysis.report.answers import answers
from analysis.report.cells import known
from analysis.results.looks import read_register
from analysis.results.measure import WITHHELD
from analysis.results.read import Results
from analysis.results.registration import read_registration
from analysis.results.study_plan import BASELINE
from analysis.results.trial_failures import FAILED_STATES
from trainable.storage.names import JOURNAL

SCHEMA = 1
"""Version of the answer; fields may be added within it."""
UNDECIDED = ("", "inconclusive", WITHHELD)


class NoQuestion(Exception):
    """The study does not ask about this arm; the message names those that it asks about."""


def answer(results: Results, arm: str, setting: str = "") -> dict[str, Any]:
    """Return what a study says of an arm, as plain data.

    Nothing is tested anew: where seeds are added, the verdict is that of a recorded look; a fixed
    list of seeds is judged once all its trials have ended, if arm, seeds and margin were registered
    before the first of them had. Otherwise it is inconclusive. With unchecked test labels it is
    `withheld`, unless checked labels or declared noise decide.

    Returns:
        schema (1), study, setting, arm, margin, verdict, final (whether it will not change), seeds,
        pairs, measure (of the next four), difference, low, high (points), p, accuracy (null if the
        test labels are trusted or nothing is known of them; else judged_by, difference, low, high),
        failures (arm_only, baseline_only: seeds; rate_low, rate_high: difference of the rates),
        text, why (sentences on what allows a verdict with unchecked test labels, and on the ranks
        of the search that chose the arm). Numbers that do not exist are null.

    Raises:
        NoQuestion: the arm is not compared with the baseline.
    """
    answered = answers(results)
    table = answered.table
    asked = table[table["paired"]]
    found = asked[(asked["arm"] == arm) & (asked["setting"] == setting)]
    if found.empty:
        places = ", ".join(
            f"{row['setting']}/{row['arm']}" if row["setting"] else row["arm"]
            for row in asked.to_dict("records")
        )
        raise NoQuestion(f"the study asks nothing about {arm}; it asks about {places or 'no arm'}")
    row = found.to_dict("records")[0]
    final = _is_final(results, row)
    measure = results.measure
    if not final:
        row["verdict"] = "inconclusive" if row.get("judged_by") else measure.allowed("inconclusive")
    return {
        "schema": SCHEMA,
        "study": results.study,
        "setting": setting,
        "arm": arm,
        "margin": results.margin,
        "verdict": row["verdict"],
        "final": final,
        "seeds": _whole(row["seeds"]),
        "pairs": _whole(row["pairs"]),
        "measure": measure.name,
        "difference": _finite(row["difference"]),
        "low": _finite(row["low"]),
        "high": _finite(row["high"]),
        "p": _finite(row["p_adjusted"]),
        "accuracy": _of_accuracy(row),
        "failures": {
            "arm_only": _whole(row["fails_more"]),
            "baseline_only": _whole(row["fails_less"]),
            "rate_low": _finite(row["rate_low"]),
            "rate_high": _finite(row["rate_high"]),
        },
        "text": verdicts.sentence(row, results.margin),
        "why": [*answered.notes, *_of_search(results)],
    }


def _of_search(results: Results) -> list[str]:
    """Return what the ranks of the study's searches are worth; nothing for an ablation."""
    if not (results.root / JOURNAL).is_file():
        return []
    from analysis.report.search import rank_sentences  # imports Optuna

    return rank_sentences(results.root)


def _is_final(results: Results, row: dict[Any, Any]) -> bool:
    """Return whether the question was closed at a look, or a fixed list of seeds has ended."""
    if results.design is None:
        trials = results.trials
        here = trials[trials["setting"] == row["setting"]]
        concerned = here[here["arm"].isin([row["arm"], BASELINE])]
        ended = concerned["state"].isin(["done", *FAILED_STATES])
        registered = read_registration(results.root).asked_before(
            row["setting"], row["arm"], BASELINE
        )
        return registered and bool(ended.all()) and row["verdict"] not in UNDECIDED
    ids = {
        arm.id
        for arm in results.design.arms
        if (arm.setting or "", arm.arm) == (row["setting"], row["arm"])
    }
    return any(
        look.id in ids
        and (look.setting or "") == row["setting"]
        and (look.verdict, look.margin) == (row["verdict"], results.margin)
        for look in read_register(results.root).looks
    )


def _of_accuracy(row: dict[Any, Any]) -> dict[str, Any] | None:
    """Return the difference of accuracy where the test labels are unchecked; None: unknown."""
    if not row.get("judged_by"):
        return None
    return {
        "judged_by": row["judged_by"],
        "difference": _finite(row["true_difference"]),
        "low": _finite(row["true_low"]),
        "high": _finite(row["true_high"]),
    }


def _whole(value: float | None) -> int:
    return int(value) if value is not None and known(value) else 0


def _finite(value: float | None) -> float | None:
    """Return a number; None if it does not exist or is infinite, which JSON cannot tell."""
    if value is None or not known(value) or abs(value) == float("inf"):
        return None
    return float(value)
