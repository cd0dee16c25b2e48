"""Copies of a study's results in experiment trackers, made from the results folder alone."""
