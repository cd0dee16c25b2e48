"""Searches: Optuna's proposals, kept in step with the trial folders."""
