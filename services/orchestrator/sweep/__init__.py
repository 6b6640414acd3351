"""Parameter explorations: one experiment, many points, one table."""
