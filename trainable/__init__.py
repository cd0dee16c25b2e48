"""One trial: data, label noise, networks, methods, and the trial's folder."""
