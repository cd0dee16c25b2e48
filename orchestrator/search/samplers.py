"""Optuna's samplers and pruners by the names of a study file."""

import numpy as np
from optuna import pruners, samplers

from orchestrator.study.search_schema import Asha, Median, NoScheduler


def sampler(name: str, seed: int, number: int) -> samplers.BaseSampler:
    """The sampler that proposes trial `number`.

    It is made anew for every proposal, from both numbers, so that a proposal depends on the trials before it and on
    nothing that a killed process took with it. A grid is walked by the search itself.
    """
    drawn = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    match name:
        case "tpe":
            return samplers.TPESampler(seed=drawn)
        case "gp":
            return samplers.GPSampler(seed=drawn, warn_independent_sampling=False)
        case "cmaes":
            return samplers.CmaEsSampler(seed=drawn, warn_independent_sampling=False)
        case "nsga2":  # Optuna's 50 a generation would make a search of 40 trials a random one
            return samplers.NSGAIISampler(seed=drawn, population_size=10)
        case _:
            return samplers.RandomSampler(seed=drawn)


def pruner(scheduler: NoScheduler | Asha | Median) -> pruners.BasePruner:
    """The rule that stops trials. It knows the journal's intermediate values only, so it survives a kill too."""
    match scheduler:
        case Asha():
            return pruners.SuccessiveHalvingPruner(
                min_resource=scheduler.grace_period, reduction_factor=scheduler.reduction_factor
            )
        case Median():
            return pruners.MedianPruner(scheduler.min_trials, n_warmup_steps=scheduler.grace_period)
        case NoScheduler():
            return pruners.NopPruner()
