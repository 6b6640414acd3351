"""The service: REST interface, live events and the page, in one process."""
