"""One trial: data, noise, networks, methods, its folder."""
