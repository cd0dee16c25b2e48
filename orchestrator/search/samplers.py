"""Optuna's samplers by the names of a study file."""

import numpy as np
from optuna import samplers


def sampler(name: str, seed: int, number: int) -> samplers.BaseSampler:
    """The sampler that proposes trial `number`.

    It is made anew for every proposal, from both numbers, so that a proposal depends on the trials
    before it and on nothing that a killed process took with it. The search itself walks a grid.
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
