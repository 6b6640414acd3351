"""One run from its first process to its report."""
