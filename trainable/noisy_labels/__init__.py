"""What the methods know of noisy labels: mixtures, selection, targets, losses, schedules. Plain functions."""
