"""Runs that go on, as clients see them."""
