"""What can be wrong with the database."""

from tvb_nest_cosim.cosim_core.errors import CosimError


class StoreError(CosimError):
    """The database cannot be opened or used."""
