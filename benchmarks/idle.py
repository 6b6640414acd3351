"""A service that does nothing: ``python -m benchmarks.idle BYTES MODULE ARGUMENT...``.

It takes part in a run as the service of that module would, by the same code for sockets, windows
and the relay; what it sends in every window are so many bytes of zeros.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import numpy as np

from tvb_nest_cosim.cosim_core.model.plan import Built, Populations, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import REAL, Array, KeepSignals
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.cosim_core.participant.service import main, main_translator
from tvb_nest_cosim.cosim_core.wire.protocol import MODULES, Role

Arrays = Mapping[str, Array]


class IdleSimulator:
    """NEST's or TVB's place in the lockstep: needs and sends blocks when they do."""

    def __init__(self, role: Role, values: int) -> None:
        self.in_edge: str | None = f"translator>{role}"
        self.out_edge: str | None = f"{role}>translator"
        self.lag = self.lead = 0
        self._role, self._signals = role, signals(values)

    def build(self, plan: RunPlan, rank: int, record: KeepSignals) -> Built:
        """Takes lag and lead from the plan, as TVB does."""
        if self._role == "tvb":
            self.lag = self.lead = plan.lookahead
        return Built()

    def start(self, populations: Populations) -> None:
        """Does nothing."""

    def prologue(self, window: Window) -> Arrays:
        """Returns the zeros."""
        return self._signals

    def absorb(self, window: Window, arrays: Arrays) -> None:
        """Does nothing."""

    def advance(self, window: Window) -> None:
        """Does nothing."""

    def read(self, window: Window) -> Arrays:
        """Returns the zeros."""
        return self._signals

    def finish(self) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing."""


class IdleTranslation:
    """Sends blocks as large as those that come in."""

    def __init__(self, values: int) -> None:
        self._signals = signals(values)

    def build(self, record: KeepSignals) -> Built:
        """Does nothing."""
        return Built()

    def start(self, populations: Populations) -> None:
        """Does nothing."""

    def drive(self, window: Window, coupling: Arrays) -> Arrays:
        """Returns the zeros."""
        return self._signals

    def rates(self, window: Window, ranks: Sequence[Arrays]) -> Arrays:
        """Returns the zeros."""
        return self._signals

    def coupling_of(self, window: Window) -> Arrays:
        """Returns the zeros."""
        return self._signals

    def rates_of(self, window: Window) -> Arrays:
        """Returns the zeros."""
        return self._signals


def signals(values: int) -> dict[str, Array]:
    """Returns the only signal of a block."""
    return {"x": np.zeros(values, REAL)}


def _main() -> None:
    values, module = int(sys.argv[1]) // REAL.itemsize, sys.argv[2]
    del sys.argv[1:3]
    role = next(role for role, name in MODULES.items() if name == module)
    if role == "translator":
        main_translator(lambda plan: IdleTranslation(values))
    else:
        main(role, lambda: IdleSimulator(role, values), lambda: None)


if __name__ == "__main__":
    _main()
