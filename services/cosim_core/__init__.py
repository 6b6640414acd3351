"""Shared by all services: values, wire format, participants, processes, run directories."""
