"""Figures of a study, as files."""
