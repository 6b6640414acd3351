"""Plans, starts, watches and reports runs."""
