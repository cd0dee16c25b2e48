"""Studies: load, plan, execute on Ray Tune, watch."""
