"""The contract of the results folder. Standard library only."""
