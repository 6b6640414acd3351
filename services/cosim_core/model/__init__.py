"""Values that a run is made of: experiment, connectome, plan, time grid and signals."""
