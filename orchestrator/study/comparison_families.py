"""What a plan says of its arms: which use which, families of comparisons, and what their seeds can show."""

from collections.abc import Iterable, Iterator

from analysis.results.study_folder import TrialRecord
from analysis.stats.attainable_p import ALPHA, smallest_p


def order(records: Iterable[TrialRecord]) -> Iterator[str]:
    """One sentence an arm that others use: what runs after it."""
    users: dict[str, dict[str, None]] = {}
    for record in records:
        if record.source:
            users.setdefault(record.source.split("/")[-2], {})[record.arm] = None
    for source, arms in users.items():
        use = "uses" if len(arms) == 1 else "use"
        yield f"order: {source} runs before {', '.join(arms)}, which {use} its trials (from_arm)"


def describe(records: Iterable[TrialRecord]) -> Iterator[str]:
    """One sentence a family and setting."""
    families: dict[tuple[str | None, str], list[TrialRecord]] = {}
    unpaired = set()
    for record in records:
        if record.family and record.baseline:
            families.setdefault((record.setting, record.family), []).append(record)
        elif record.family:
            unpaired.add(record.arm)
    for (setting, family), members in families.items():
        arms, seeds = len({r.arm for r in members}), len({r.seed for r in members})
        p = smallest_p(arms, seeds)
        verdict = (
            "" if p <= ALPHA else f": more seeds are needed before any of them can reach {ALPHA}"
        )
        place = f"{setting}: " if setting else ""
        comparisons = "1 comparison" if arms == 1 else f"{arms} comparisons"
        paired = "1 seed" if seeds == 1 else f"{seeds} seeds"
        yield f"{place}family {family}: {comparisons} × {paired}, smallest Holm p {p:.4f}{verdict}"
    if unpaired:
        yield f"not paired with the baseline (other data or noise): {', '.join(sorted(unpaired))}"
