"""Integrates TVB in windows, as ``Simulator.__call__`` of tvb-library does, tick by tick.

tvb-library integrates a whole run in one generator. In windows, its stimuli would begin anew in
each of them, and nothing could be put into the history in between. This loop calls the same parts
of ``Simulator`` in the same order; a test proves that the bits are the same.

Tick s is computed from tick s-1 and the coupling sum over x_j[s-1-idelay_ij]. TVB's history is a
ring of as many ticks as the longest delay needs, in float32.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from tvb_nest_cosim.cosim_core.model.arrays import Reals
from tvb_nest_cosim.tvb_service.proxies import Indices


class Stepper(ABC):
    """Carries a configured ``Simulator`` through a run.

    Args:
        simulator: Configured, at step 0, with a history that is constant in time.
        proxies: Indices of regions whose states come from outside.
        total_ticks: Ticks of the run, for the stimulus.
    """

    def __init__(self, simulator: Any, proxies: Indices, total_ticks: int) -> None:
        self.simulator = simulator
        self.tick = 0
        self._proxies = proxies
        self._resting = simulator.current_state[:, proxies].copy()
        if simulator.stimulus is not None:
            # on one clock for the whole run, as a run in one piece has it
            times_ms = np.arange(total_ticks) * simulator.integrator.dt
            simulator.stimulus.configure_time(times_ms.reshape(1, -1))

    @abstractmethod
    def advance(self, ticks: int, couplings: list[Reals] | None = None) -> Reals:
        """Integrates.

        A proxy starts every tick from its initial state: what TVB computes for it is a
        placeholder, which must neither drift nor overflow.

        Args:
            ticks: Number of ticks.
            couplings: Gets the coupling that TVB's monitors see at each tick, the one for the
                tick after it, of shape (coupling variable, region, mode). Without proxies only.

        Returns:
            States, float64 [tick, state variable, region, mode].
        """

    @abstractmethod
    def coupling_into(self, regions: Indices, ticks: Sequence[int]) -> Reals:
        """Computes the coupling into some regions at ticks that lie ahead.

        It is exact as far as every delay into these regions reaches back to ticks that are known.

        Returns:
            float64 [tick, coupling variable, region], first mode.
        """

    def feed(self, first_tick: int, values: Reals) -> None:
        """Puts the proxies' coupling variables into the history at their true ticks.

        Args:
            first_tick: Tick of the first row.
            values: float64 [tick, coupling variable, proxy].
        """
        history = self.simulator.history
        ticks = np.arange(first_tick, first_tick + len(values))
        # ticks that have left the ring are not read again; their slots belong to later ticks
        kept = ticks > self.tick - history.n_time
        slots = (ticks[kept] % history.n_time)[:, None, None]
        rows = np.arange(history.n_cvar)[None, :, None]
        history.buffer[slots, rows, self._proxies[None, None, :], 0] = values[kept]


class LoopStepper(Stepper):
    """Calls the parts of tvb-library tick by tick, for any model, coupling and scheme."""

    def __init__(self, simulator: Any, proxies: Indices, total_ticks: int) -> None:
        super().__init__(simulator, proxies, total_ticks)
        self._local_coupling = simulator._prepare_local_coupling()  # noqa: SLF001 (0.0 for regions)
        self._stimulus: Any = 0.0
        if simulator.stimulus is not None:
            self._stimulus = np.zeros((simulator.model.nvar, simulator.number_of_nodes, 1))

    def advance(self, ticks: int, couplings: list[Reals] | None = None) -> Reals:
        """Integrates; see :meth:`Stepper.advance`."""
        simulator = self.simulator
        state, history = simulator.current_state, simulator.history
        coupling, integrate, model = (
            simulator.coupling,
            simulator.integrate_next_step,
            simulator.model,
        )
        states = np.empty((ticks, *state.shape))
        for row in range(ticks):
            step = self.tick + 1
            stimulus = self._stimulus_at(step)
            incoming = coupling(step, history)
            state = integrate(state, model, incoming, self._local_coupling, stimulus)
            state[:, self._proxies] = self._resting
            history.update(step, state)
            states[row] = state
            self.tick = step
            if couplings is not None:
                couplings.append(coupling(step + 1, history))
        simulator.current_state, simulator.current_step = state, self.tick
        return states

    def coupling_into(self, regions: Indices, ticks: Sequence[int]) -> Reals:
        """Computes coupling; see :meth:`Stepper.coupling_into`."""
        coupling, history = self.simulator.coupling, self.simulator.history
        incoming = [coupling(tick, history)[:, regions, 0] for tick in ticks]
        return np.array(incoming, dtype=np.float64)

    def _stimulus_at(self, step: int) -> Any:
        stimulus = self.simulator.stimulus
        if stimulus is not None:
            rows = self.simulator.model.stvar
            self._stimulus[rows, :, :] = stimulus(step - 1).reshape((1, -1, 1))
        return self._stimulus
