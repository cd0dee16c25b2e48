"""Which trials of a study are run, in what order, and whether they fit on the disk."""
