"""Table "Breaks at": for each noise, the lowest share of wrong labels at which an arm fails."""

import json
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from analysis.report import cells
from analysis.results.read import Results
from analysis.results.study_plan import BASELINE
from analysis.stats.comparison import compare

REFERENCE = "strong_cross_entropy"
"""Name of the arm that the others are compared with: plain training done well."""
FORMER = "former baseline"
"""Name of the study's baseline while `REFERENCE` is in its place."""
DATA = ("name", "path", "imbalance")
"""Fields of `data` under which an amount of noise is harder or easier, so they are kept apart."""
AMOUNTS = ("rate", "skills", "path", "labels_hash")
"""Fields of `noise` that say how many labels are wrong, not which kind of noise it is."""

NOTE = (
    f"The lowest tested share of wrong labels at which an arm is worse than {REFERENCE} on the "
    "same seeds, or has lost a class in at least a third of its completed runs. Shares are "
    "measured. Verdicts are corrected for the arms of a setting, not for the number of settings. "
    "“not shown” does not mean that the arm is as good: it may break at higher shares, or by less "
    "than these seeds can show."
)


@dataclass(frozen=True)
class Tested:
    """Result of an arm in one setting.

    Attributes:
        wrong: measured share of wrong labels, 0 to 1.
        why: why the arm breaks there; "": it does not.
    """

    wrong: float
    why: str


def breaking_points(results: Results) -> pd.DataFrame:
    """Return the table as text: arm, noise, tested shares of wrong labels, where the arm breaks.

    It is empty without an arm `strong_cross_entropy`, and without a noise that was tested at two or
    more shares. It is also empty if seeds are added until questions are decided: only the
    comparison with the study's baseline is valid then.
    """
    if results.design is not None or REFERENCE not in set(results.trials["arm"]):
        return pd.DataFrame()
    lines = []
    for (arm, noise), tested in _tested(against_reference(results)).items():
        if len(tested) < 2:
            continue
        tested.sort(key=lambda each: each.wrong)
        broken = [each for each in tested if each.why]
        first = broken[0] if broken else None
        lines.append(
            {
                "arm": {FORMER: BASELINE, BASELINE: REFERENCE}.get(arm, arm),
                "noise": noise,
                "tested wrong labels %": ", ".join(_percent(each) for each in tested),
                "breaks at %": _percent(first) if first else "not shown",
                "because": first.why if first else "",
            }
        )
    return pd.DataFrame(lines)


def against_reference(results: Results) -> Results:
    """Return the results with `strong_cross_entropy` in the place of the baseline.

    The baseline is an arm then, named `FORMER`. Arms with other data or noise than the baseline
    stay without a comparison.
    """
    trials = results.trials
    reference = trials["arm"] == REFERENCE
    former = trials["arm"] == BASELINE
    compared = former | (trials["baseline"].notna() & ~reference)
    arms = trials["arm"].mask(former, FORMER).mask(reference, BASELINE)
    families = trials["family"].astype(object).mask(former, "arms").mask(reference, None)
    partners = arms.where(~compared, BASELINE).where(compared, None)
    changed = trials.assign(arm=arms, family=families, baseline=partners)
    return replace(results, trials=changed)


def _tested(results: Results) -> dict[tuple[str, str], list[Tested]]:
    """Return (arm, noise) → its results, one for each setting with completed trials."""
    kinds = {}
    for row in compare(results).to_dict("records"):
        first = results.first_done(row["setting"], row["arm"])
        if first is not None:
            kinds[row["setting"], row["arm"]] = (row, _kind(results.config(first)))
    labels = _labels([kind for _, kind in kinds.values()])
    found = defaultdict(list)
    for (setting, arm), (row, kind) in kinds.items():
        planned = results.of_arm(setting, arm)
        done = planned[planned["state"] == "done"]
        wrong = done["noise_rate"].mean() if "noise_rate" in done else float("nan")
        if kind is not None and cells.known(wrong):
            found[arm, labels[kind]].append(Tested(wrong, _why(row, done)))
    return found


@dataclass(frozen=True)
class Kind:
    """Noise whose amounts are compared with each other: its name, its other fields, the data."""

    name: str
    fields: str
    data: tuple[str, ...]


def _kind(config: dict[str, Any]) -> Kind | None:
    """Return a trial's kind of noise; None: without noise."""
    noise = dict(config.get("noise") or {})
    name = noise.pop("name", "none")
    if name == "none":
        return None
    fields = {key: json.dumps(value) for key, value in noise.items() if key not in AMOUNTS}
    text = ", ".join(f"{key}: {value}" for key, value in sorted(fields.items()))
    data = config.get("data") or {}
    return Kind(name, text, tuple(_data_field(field, data.get(field)) for field in DATA))


def _data_field(field: str, value: Any) -> str:
    if value is None:
        return ""
    return str(value) if field in ("name", "path") else f"{field} {value}"


def _labels(kinds: list[Kind | None]) -> dict[Kind, str]:
    """Return a text for each kind of noise: its name, and what it needs to be unique."""
    different = {kind for kind in kinds if kind is not None}
    labels = {}
    for kind in different:
        alike = [other for other in different if other.name == kind.name]
        label = kind.name
        if len({other.fields for other in alike}) > 1:
            label += f" ({kind.fields})"
        for place, text in enumerate(kind.data):
            if text and len({other.data[place] for other in alike}) > 1:
                label += f", {text}"
        labels[kind] = label
    return labels


def _why(row: dict[Any, Any], done: pd.DataFrame) -> str:
    """Return why an arm breaks in a setting, from its comparison and its completed trials."""
    reasons = []
    if row["verdict"] == "worse":
        reasons.append(f"worse, {cells.interval(row['difference'], row['low'], row['high'])}")
    elif row["verdict"] == "worse by failures":
        reasons.append("worse by failures")
    lost = sum(isinstance(classes, list) and len(classes) > 0 for classes in _lost(done))
    if 3 * lost >= len(done):
        reasons.append(f"lost a class on {lost} of {len(done)} seeds")
    return "; ".join(reasons)


def _lost(done: pd.DataFrame) -> list[Any]:
    """Return the lost classes of each completed trial; nothing if none has been looked for."""
    return done["lost_classes"].to_list() if "lost_classes" in done else []


def _percent(tested: Tested) -> str:
    return f"{100 * tested.wrong:.0f}"
