"""A process of a run: its connection, its loop through the windows, its entry point."""
