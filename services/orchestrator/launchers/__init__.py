"""Launchers: where the processes of runs come from."""
