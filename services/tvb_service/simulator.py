"""TVB as a participant: windows, proxies, monitors."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tvb_nest_cosim.cosim_core.errors import SimulationError
from tvb_nest_cosim.cosim_core.model.arrays import Reals
from tvb_nest_cosim.cosim_core.model.plan import Built, MonitorFacts, Populations, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import (
    REAL,
    TRANSLATOR_TO_TVB,
    TVB_TO_TRANSLATOR,
    Array,
    KeepSignals,
)
from tvb_nest_cosim.cosim_core.model.timegrid import Window, ms_of
from tvb_nest_cosim.cosim_core.plugins import cause_of
from tvb_nest_cosim.tvb_service.library import load_tvb, versions

if TYPE_CHECKING:
    from tvb_nest_cosim.tvb_service.build import Assembly
    from tvb_nest_cosim.tvb_service.proxies import Feeding
    from tvb_nest_cosim.tvb_service.sampling import Sampler
    from tvb_nest_cosim.tvb_service.stepper import Stepper


class TvbSimulator:
    """TVB as a :class:`cosim_core.participant.window_loop.Simulator`.

    With proxies, the states of window k are complete only when the rates of window k have come.
    Until then, for at most ``lookahead`` windows, they are kept, and monitors see them afterwards.
    """

    def __init__(self) -> None:
        self.in_edge: str | None = None
        self.out_edge: str | None = None
        self.lag = 0
        self.lead = 0
        self._pending: dict[int, Reals] = {}
        self._couplings: list[Reals] | None = None
        self._feeding: Feeding | None = None

    def build(self, plan: RunPlan, rank: int, record: KeepSignals) -> Built:
        """Builds TVB's simulator.

        Raises:
            ExperimentError: With all faults found.
            SimulationError: If TVB and the plan disagree about the delays.
        """
        load_tvb()
        from tvb_nest_cosim.tvb_service.build import assemble
        from tvb_nest_cosim.tvb_service.engine import ENGINES
        from tvb_nest_cosim.tvb_service.monitors import facts
        from tvb_nest_cosim.tvb_service.sampling import Sampler

        self._plan, self._record = plan, record
        if plan.has_proxies:
            self.in_edge, self.out_edge = TRANSLATOR_TO_TVB, TVB_TO_TRANSLATOR
            self.lag = self.lead = plan.lookahead
        self._assembly: Assembly = assemble(plan)
        simulator = self._assembly.simulator
        self._labels = [str(label) for label in simulator.connectivity.region_labels]
        engine = self._assembly.engine
        self._stepper: Stepper = ENGINES[engine](
            simulator, self._assembly.indices, plan.total_ticks
        )
        described = {entry.key: facts(entry, simulator) for entry in self._assembly.monitors}
        self._sampler: Sampler = Sampler(simulator, self._assembly.monitors, described)
        return Built(
            monitors=described,
            versions={**versions(), "tvb-engine": engine},
            warnings=[*self._assembly.warnings, *self._silent_monitors(described)],
        )

    def start(self, populations: Populations) -> None:
        """Notes which channel of the rates is which population.

        Raises:
            ExperimentError: If a feed names a population that there is not.
        """
        from tvb_nest_cosim.tvb_service.proxies import Feeding

        if self._plan.has_proxies:
            self._feeding = Feeding(self._assembly.proxies, populations)

    def prologue(self, window: Window) -> Mapping[str, Array]:
        """Returns the coupling that the initial history gives."""
        return self._outgoing(window)

    def absorb(self, window: Window, arrays: Mapping[str, Array]) -> None:
        """Puts the proxies' rates into the history and shows the complete states to the monitors.

        Raises:
            SimulationError: If the rates are wrong.
        """
        if self._feeding is None:
            raise SimulationError("TVB got rates, but has no proxies")
        states = self._pending.pop(window.index)
        values = self._feeding.values(window, arrays, states.shape[1])
        indices = self._assembly.indices
        states[:, :, indices, 0] = values
        self._stepper.feed(window.start + 1, values[:, self._assembly.simulator.model.cvar])
        self._sample(window, states, None)

    def advance(self, window: Window) -> None:
        """Integrates a window.

        Raises:
            SimulationError: If TVB raises, or a state is not finite.
        """
        self._couplings = [] if self._sampler.sees_coupling else None
        try:
            with np.errstate(all="ignore"):
                states = self._stepper.advance(window.ticks, self._couplings)
        # tvb-library and a user's classes raise anything
        except (Exception, SystemExit) as error:
            raise SimulationError(
                f"TVB failed at {self._at(self._stepper.tick + 1)}: {cause_of(error)}",
                traceback.format_exc(),
            ) from error
        self._check_states(window, states)
        self._pending[window.index] = states

    def read(self, window: Window) -> Mapping[str, Array]:
        """Samples a window that is complete already, or returns the drive that follows from it."""
        if not self._plan.has_proxies:
            self._sample(window, self._pending.pop(window.index), self._couplings)
            return {}
        target = window.index + self.lead
        grid = self._plan.grid
        return self._outgoing(grid.window(target)) if target < grid.window_count else {}

    def finish(self) -> None:
        """Has nothing left to record: every window was recorded when it was complete."""

    def close(self) -> None:
        """Drops windows whose rates never came."""
        self._pending.clear()

    def _outgoing(self, window: Window) -> dict[str, Array]:
        """Computes the drive that devices emit in a window: TVB's coupling a few ticks later."""
        proxies = self._assembly.proxies
        hops = [proxy.plan.drive.hop_ticks for proxy in proxies]
        ticks = range(window.start + 1 + min(hops), window.stop + 1 + max(hops))
        with np.errstate(all="ignore"):
            incoming = self._stepper.coupling_into(self._assembly.indices, ticks)
        arrays: dict[str, Array] = {}
        for column, proxy in enumerate(proxies):
            drive = proxy.plan.drive
            first = drive.hop_ticks - min(hops)
            seen = incoming[first : first + window.ticks, proxy.coupling_variable, column]
            self._check_coupling(window.start + drive.hop_ticks, proxy.plan.name, seen)
            arrays[f"coupling/{proxy.plan.name}"] = (seen * drive.hz_per_unit).astype(REAL)
        return arrays

    def _sample(self, window: Window, states: Reals, couplings: list[Reals] | None) -> None:
        """Records a window even without samples: the record says that the window is complete."""
        self._record(window, self._sampler.sample(window.start + 1, states, couplings))

    def _silent_monitors(self, described: Mapping[str, MonitorFacts]) -> list[str]:
        duration_ms = self._plan.experiment.duration_ms
        return [
            f"tvb.monitors: {key} samples every {entry.period_ms:g} ms and records nothing in "
            f"{duration_ms:g} ms"
            for key, entry in described.items()
            if entry.period_ms > duration_ms
        ]

    def _check_states(self, window: Window, states: Reals) -> None:
        bad = ~np.isfinite(states)
        if not bad.any():
            return
        row, variable, region, _ = (int(k) for k in np.argwhere(bad)[0])
        name = self._assembly.simulator.model.state_variables[variable]
        raise SimulationError(
            f"TVB's {name} of region {self._labels[region]} is {states[bad][0]} at "
            f"{self._at(window.start + row + 1)}. Likely causes: dt_ms = "
            f"{self._plan.experiment.dt_ms:g} is too long for the model, the coupling is too "
            "strong, or a parameter, an initial value or a fed rate is outside the model's range"
        )

    def _check_coupling(self, tick_before: int, region: str, seen: Any) -> None:
        bad = ~np.isfinite(seen)
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise SimulationError(
                f"TVB's coupling into {region} is {seen[row]} at "
                f"{self._at(tick_before + row + 1)}. Likely causes: the coupling is too strong, "
                "or a fed rate is far outside the model's range"
            )

    def _at(self, tick: int) -> str:
        return f"tick {tick} ({ms_of(tick, self._plan.experiment.dt_ms):g} ms)"
