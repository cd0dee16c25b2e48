"""Figures of a study, written as files."""
