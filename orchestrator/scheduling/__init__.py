"""Selection and order of the trials of a run, and the disk space that they need."""
