"""The REST interface, one module per kind of resource."""
