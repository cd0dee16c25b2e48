"""Training on Ray Tune. The only package of the orchestrator that imports ray."""
