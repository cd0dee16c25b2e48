"""Functions for noisy labels: mixtures, sample selection, targets, losses, schedules."""
