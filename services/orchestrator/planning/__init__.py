"""From an experiment to the plan of a run, with estimates and every fault."""
