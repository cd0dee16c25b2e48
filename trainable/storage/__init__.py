"""Format of the results folder. Imports the standard library only."""
