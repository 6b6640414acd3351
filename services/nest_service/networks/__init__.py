"""Networks shipped with the NEST service, one module each."""
