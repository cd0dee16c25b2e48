"""The results folder: states, locks, provenance, reproduction."""
