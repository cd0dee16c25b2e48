"""Searches: Optuna's proposals, synchronised with the trial folders."""
