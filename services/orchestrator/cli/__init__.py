"""The command line ``cosim``."""
