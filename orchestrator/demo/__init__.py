"""A finished ablation, search and label audit, which ship with the program."""
