"""The run directory while a run goes on: paths, journals, logs, and reading them."""
