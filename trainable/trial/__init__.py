"""One trial: built from its configuration, run in its folder, measured."""
