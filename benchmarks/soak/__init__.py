"""Runs by a server with agents under injected faults: nothing lost, wrong, or ever larger."""
