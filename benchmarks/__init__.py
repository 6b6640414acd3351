"""Benchmarks: ``python -m benchmarks [PART...]``; docs/benchmarks.md explains."""
