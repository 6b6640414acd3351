"""TVB in windows, compiled: the same bits as tvb-library's own loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tvb.simulator.integrators import HeunDeterministic, HeunStochastic, IntegratorStochastic

from tvb_nest_cosim.cosim_core.model.arrays import Reals
from tvb_nest_cosim.cosim_core.numba_cache import load_kernels, prepare
from tvb_nest_cosim.tvb_service.proxies import Indices
from tvb_nest_cosim.tvb_service.stepper import Stepper

KERNELS = "tvb_nest_cosim.tvb_service.compiled.window"
"""Module of what is compiled; imported by :func:`cosim_core.numba_cache.load_kernels` alone."""


class CompiledStepper(Stepper):
    """Carries a configured ``Simulator`` through a run by compiled kernels.

    It shares the history with the simulator. Kernels are compiled, or loaded, on construction.

    Args:
        simulator: Configured, at step 0; :func:`tvb_service.compiled.eligible.why_not` approves.
        proxies: Indices of regions whose states come from outside.
        total_ticks: Ticks of the run, for the stimulus.
    """

    def __init__(self, simulator: Any, proxies: Indices, total_ticks: int) -> None:
        super().__init__(simulator, proxies, total_ticks)
        self._kernels = load_kernels(KERNELS)
        from tvb_nest_cosim.tvb_service.compiled.models import read_model

        history = simulator.history
        self._regions = history.n_node
        self._state = np.ascontiguousarray(simulator.current_state[:, :, 0])
        self._none = np.zeros((1, *self._state.shape))
        self._ring = history.buffer.reshape(-1)
        self._tracts = self._read_tracts()
        self._fixed = (
            read_model(simulator.model, self._regions),
            self._tracts,
            self._read_scheme(),
            self._kernels.Pinned(proxies, np.ascontiguousarray(self._resting[:, :, 0])),
            self._ring,
        )
        none, states = self._none, np.empty((0, *self._state.shape))
        couplings = np.empty((0, self._regions))
        prepare(self._kernels.advance, *self._fixed, 0, self._state, none, none, states, couplings)
        prepare(self._kernels.couple, self._tracts, self._ring, proxies, proxies, couplings)

    def advance(self, ticks: int, couplings: list[Reals] | None = None) -> Reals:
        """Integrates; see :meth:`tvb_service.stepper.Stepper.advance`."""
        states = np.empty((ticks, *self._state.shape))
        incoming = np.empty((ticks, self._regions))
        self._kernels.advance(
            *self._fixed,
            self.tick,
            self._state,
            self._noise(ticks),
            self._stimulus_of(ticks),
            states,
            incoming,
        )
        self.tick += ticks
        self.simulator.current_state = self._state[:, :, None]
        self.simulator.current_step = self.tick
        if couplings is not None:
            everywhere = np.arange(self._regions)
            after = self.coupling_into(everywhere, [self.tick + 1])[0]
            couplings += [row[None, :, None] for row in incoming[1:]]
            couplings.append(after[:, :, None])
        return states[:, :, :, None]

    def coupling_into(self, regions: Indices, ticks: Sequence[int]) -> Reals:
        """Computes coupling; see :meth:`tvb_service.stepper.Stepper.coupling_into`."""
        incoming = np.empty((len(ticks), len(regions)))
        at = np.array(ticks, dtype=np.int64)
        self._kernels.couple(self._tracts, self._ring, at, regions, incoming)
        return incoming[:, None, :]

    def _read_tracts(self) -> Any:
        history, coupling = self.simulator.history, self.simulator.coupling
        # tvb-library lists tracts by target
        first = np.searchsorted(history.nnz_row_el_idx, np.arange(self._regions + 1))
        # Scaling adds nothing, not even 0, which would turn -0 into 0
        offset = coupling.b if hasattr(coupling, "b") else np.array([-0.0])
        return self._kernels.Tracts(
            first.astype(np.int64),
            history.nnz_col_el_idx.astype(np.int64)
            - history.nnz_idelays.astype(np.int64) * self._regions,
            np.ascontiguousarray(history.nnz_weights),
            np.concatenate([coupling.a, offset]),
        )

    def _read_scheme(self) -> Any:
        integrator = self.simulator.integrator
        low, high = np.full((2, len(self._state)), np.nan)
        if integrator.state_variable_boundaries is not None:
            bounded = integrator.bounded_state_variable_indices
            low[bounded], high[bounded] = integrator.state_variable_boundaries.T
        return self._kernels.Scheme(
            float(integrator.dt),
            isinstance(integrator, HeunDeterministic | HeunStochastic),
            isinstance(integrator, IntegratorStochastic),
            low,
            high,
        )

    def _noise(self, ticks: int) -> Reals:
        """Draws what tvb-library would draw tick by tick."""
        integrator = self.simulator.integrator
        if not isinstance(integrator, IntegratorStochastic):
            return self._none
        noise = integrator.noise.generate((ticks, *self._state.shape, 1))
        noise *= integrator.noise.gfun(None)
        drawn: Reals = noise[..., 0]
        return drawn

    def _stimulus_of(self, ticks: int) -> Reals:
        stimulus = self.simulator.stimulus
        if stimulus is None:
            return self._none
        pushes = np.zeros((ticks, *self._state.shape))
        pushes[:, self.simulator.model.stvar] = stimulus(self.tick + np.arange(ticks)).T[:, None]
        return pushes
