"""Optuna's pruners by the names of a study file's schedulers (`asha`, `median`)."""

from optuna import pruners

from orchestrator.study.search_schema import Asha, Median, NoScheduler


def pruner(scheduler: NoScheduler | Asha | Median) -> pruners.BasePruner:
    """Return the rule that stops trials early.

    It depends on the journal's intermediate values only, so a resumed search applies it unchanged.
    """
    match scheduler:
        case Asha():
            return pruners.SuccessiveHalvingPruner(
                min_resource=scheduler.grace_period, reduction_factor=scheduler.reduction_factor
            )
        case Median():
            return pruners.MedianPruner(scheduler.min_trials, n_warmup_steps=scheduler.grace_period)
        case NoScheduler():
            return pruners.NopPruner()
