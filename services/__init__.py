"""Exact co-simulation of The Virtual Brain and NEST.

In the repository the packages lie under ``services/``; ``src/tvb_nest_cosim`` is a link to that
folder, so that the import name and the folder names are both what they should be
(``docs/decisions/0017-one-import-name.md``).
"""
