"""Compare the recipe with the best of five other settings for each of twelve noises.

    python -m orchestrator run studies/twelve_noises.yaml --seeds 0-3
    python -m benchmarks.one_recipe results/twelve_noises
    … the commands that it prints …
    python -m benchmarks.one_recipe results/twelve_noises

The best setting of a noise is the one with the highest mean test accuracy on seeds 0 to 3. It is
compared with the recipe on the other seeds: mean difference in points with its 95 % t interval.
"""

import argparse
from pathlib import Path

import pandas as pd

import analysis
from analysis.stats.paired import paired
from trainable.storage.names import LAST10

CHOICE_SEEDS = [0, 1, 2, 3]
FRESH_SEEDS = list(range(200, 212))
RECIPE = "baseline"
LOSS = 1.0
"""Points that the recipe may lose against a setting chosen for the noise."""


def main() -> None:
    """Print the chosen settings, the table, and the commands for what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path, help="results folder of the study twelve_noises")
    study = analysis.read(parser.parse_args().results)
    done = study.trials[study.trials["state"] == "done"]
    accuracies = done.pivot_table(index=["setting", "seed"], columns="arm", values=LAST10)
    noises = study.trials["setting"].unique()
    missing = []
    held = 0
    print("| noise | best of five | recipe % | best % | recipe − best [95 % interval] | n |")
    print("| --- | --- | --- | --- | --- | --- |")
    for noise in noises:
        best = chosen(accuracies, noise)
        if best is None:
            missing.append(f"--settings {noise} --seeds {CHOICE_SEEDS[0]}-{CHOICE_SEEDS[-1]}")
            continue
        fresh = of_seeds(accuracies, noise, FRESH_SEEDS, [RECIPE, best])
        if len(fresh) < len(FRESH_SEEDS):
            seeds = f"{FRESH_SEEDS[0]}-{FRESH_SEEDS[-1]}"
            missing.append(f"--settings {noise} --arms {RECIPE},{best} --seeds {seeds}")
        if len(fresh) < 2:
            continue
        difference = paired((fresh[RECIPE] - fresh[best]).to_numpy())
        held += difference.low >= -LOSS
        print(
            f"| {noise} | {best} | {fresh[RECIPE].mean():.2f} | {fresh[best].mean():.2f} "
            f"| {difference.mean:+.2f} [{difference.low:+.2f}, {difference.high:+.2f}] "
            f"| {difference.n} |"
        )
    print(f"lower bound at least −{LOSS:g} point: {held} of {len(noises)}")
    failed = study.trials[study.trials["state"] == "failed"]
    for trial in failed.itertuples():
        print(f"failed: {trial.setting}/{trial.arm}/seed={trial.seed}")
    for selection in missing:
        print(f"python -m orchestrator run studies/twelve_noises.yaml {selection}")


def chosen(accuracies: pd.DataFrame, noise: str) -> str | None:
    """Return the arm other than the recipe that is best on `CHOICE_SEEDS`; None before they ran."""
    others = accuracies.columns.drop(RECIPE, errors="ignore")
    table = of_seeds(accuracies, noise, CHOICE_SEEDS, list(others))
    if len(table) < len(CHOICE_SEEDS):
        return None
    return str(table.mean().idxmax())


def of_seeds(
    accuracies: pd.DataFrame, noise: str, seeds: list[int], arms: list[str]
) -> pd.DataFrame:
    """Return the accuracies (seeds, arms) of one noise, for the seeds that have all of the arms."""
    rows = accuracies.reindex(index=[(noise, seed) for seed in seeds], columns=arms)
    return rows.dropna()


if __name__ == "__main__":
    main()
