"""Output for users: terminal tables, live views, TensorBoard."""
