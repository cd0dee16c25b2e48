"""Plain functions for noisy labels: mixtures, selection, targets, losses, schedules."""
