"""Describe dependencies between arms, and each family of comparisons."""

from collections.abc import Iterable, Iterator

from analysis.results.study_plan import TrialRecord
from analysis.stats.attainable_p import FEWEST_SEEDS


def order(records: Iterable[TrialRecord]) -> Iterator[str]:
    """Yield one sentence for each arm that other arms depend on."""
    users: dict[str, list[str]] = {}
    for record in records:
        if not record.source:
            continue
        source_arm = record.source.split("/")[-2]
        arms = users.setdefault(source_arm, [])
        if record.arm not in arms:
            arms.append(record.arm)
    for source_arm, arms in users.items():
        use = "uses"
        if len(arms) > 1:
            use = "use"
        names = ", ".join(arms)
        yield f"order: {source_arm} runs before {names}, which {use} its trials (from_arm)"


def describe(records: Iterable[TrialRecord]) -> Iterator[str]:
    """Yield one sentence for each family of comparisons and setting."""
    families: dict[tuple[str | None, str], list[TrialRecord]] = {}
    unpaired: set[str] = set()
    for record in records:
        if not record.family:
            continue
        if record.baseline:
            key = (record.setting, record.family)
            families.setdefault(key, []).append(record)
        else:
            unpaired.add(record.arm)
    for (setting, family), members in families.items():
        yield _describe_family(setting, family, members)
    if unpaired:
        names = ", ".join(sorted(unpaired))
        yield f"not paired with the baseline (other data or noise): {names}"


def _describe_family(setting: str | None, family: str, members: list[TrialRecord]) -> str:
    """Return a family's numbers of comparisons and seeds, and whether these are too few."""
    arms = {record.arm for record in members}
    seeds = {record.seed for record in members}
    sentence = f"family {family}: {_counted(len(arms), 'comparison')}"
    sentence += f" × {_counted(len(seeds), 'seed')}"
    if setting:
        sentence = f"{setting}: {sentence}"
    if len(seeds) < FEWEST_SEEDS:
        sentence += f": too few to show a difference, at least {FEWEST_SEEDS} are needed"
    return sentence


def _counted(number: int, noun: str) -> str:
    """Write a number with its noun: `1 seed`, `3 seeds`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun}s"
