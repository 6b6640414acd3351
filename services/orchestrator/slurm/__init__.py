"""Runs as batch jobs of Slurm: the script, the queue, and what ``--launcher slurm`` does."""
