"""Connections that NEST refuses while the network is built, as faults of the experiment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.cosim_core.plugins import cause_of
from tvb_nest_cosim.nest_service.context import Nest


@contextmanager
def refusals(nest: Nest, path: str, what: str, remedy: str) -> Iterator[None]:
    """Turns an error of NEST's kernel into a fault.

    Args:
        nest: The module ``nest``.
        path: Key path of the declaration that asks for the connection.
        what: The connection, in words.
        remedy: What to change.

    Raises:
        ExperimentError: If NEST refuses the connection.
    """
    try:
        yield
    except nest.NESTErrors.KernelException as error:
        raise ExperimentError.single(
            path, f"NEST cannot connect {what}: {cause_of(error)}; {remedy}"
        ) from error
