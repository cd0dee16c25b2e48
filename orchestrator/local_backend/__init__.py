"""Training in processes of this machine, without Ray."""
