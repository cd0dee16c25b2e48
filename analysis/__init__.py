"""Tables, statistics and figures from results folders; neither torch nor ray is imported here."""
