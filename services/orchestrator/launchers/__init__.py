"""What starts the participants of a run."""
