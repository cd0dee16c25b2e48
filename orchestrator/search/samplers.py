"""Optuna's samplers by the names of a study file."""

import numpy as np
from optuna import samplers


def sampler(name: str, seed: int, number: int) -> samplers.BaseSampler:
    """Return the sampler that proposes trial `number`.

    Each proposal has a new sampler, seeded with `seed` and `number`. A proposal therefore depends
    on the trials before it only, also after a resume. Grids are enumerated by `Search` itself.
    """
    drawn = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    match name:
        case "tpe":
            return samplers.TPESampler(seed=drawn)
        case "gp":
            return samplers.GPSampler(seed=drawn, warn_independent_sampling=False)
        case "cmaes":
            return samplers.CmaEsSampler(seed=drawn, warn_independent_sampling=False)
        case "nsga2":  # with Optuna's default of 50, a search of 40 trials is random
            return samplers.NSGAIISampler(seed=drawn, population_size=10)
        case _:
            return samplers.RandomSampler(seed=drawn)
