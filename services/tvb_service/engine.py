"""Chooses the engine: tvb-library's own loop, or the compiled one with the same bits."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from tvb_nest_cosim.cosim_core.errors import Fault
from tvb_nest_cosim.cosim_core.model.experiment.tvb import Engine
from tvb_nest_cosim.tvb_service.compiled.eligible import why_not
from tvb_nest_cosim.tvb_service.compiled.stepper import CompiledStepper
from tvb_nest_cosim.tvb_service.proxies import Indices
from tvb_nest_cosim.tvb_service.stepper import LoopStepper, Stepper

_logger = logging.getLogger(__name__)

ENGINES: dict[Engine, type[Stepper]] = {"tvb": LoopStepper, "compiled": CompiledStepper}

_TICKS = 3
"""Enough for new states to come back as coupling."""


def choose_engine(
    wanted: Engine, simulator: Any, proxies: Indices, faults: list[Fault], warnings: list[str]
) -> Engine:
    """Chooses the compiled engine where it applies and gives tvb-library's bits.

    Args:
        wanted: ``tvb.engine`` of the experiment.
        simulator: A configured simulator, to be discarded afterwards.
        proxies: Indices of the proxies.
        faults: Gets the reason against the compiled engine if the experiment demands it.
        warnings: Gets a note if the bits differ and the slower loop runs instead.
    """
    if wanted == "tvb":
        return "tvb"
    reason = why_not(simulator)
    if reason is None and not _gives_the_same_bits(simulator, proxies):
        reason = "on this machine the compiled engine does not give the bits of tvb-library"
        if wanted == "auto":
            warnings.append(f"tvb.engine: {reason}; tvb-library's own, slower loop runs instead")
    if reason is None:
        return "compiled"
    if wanted == "compiled":
        faults.append(Fault("tvb.engine", f"{reason}; write auto or tvb for tvb-library's loop"))
    _logger.info("tvb-library's own loop integrates: %s", reason)
    return "tvb"


def _gives_the_same_bits(simulator: Any, proxies: Indices) -> bool:
    """Compares both engines over some ticks, from a history that varies in time."""
    buffer = simulator.history.buffer
    buffer *= np.random.default_rng(1).uniform(0.9, 1.1, buffer.shape)
    history, state = buffer.copy(), simulator.current_state.copy()
    stream = simulator.integrator.noise.random_stream.get_state() if _is_noisy(simulator) else None
    results = []
    for kind in ENGINES.values():
        buffer[:], simulator.current_state = history, state.copy()
        if stream is not None:
            simulator.integrator.noise.random_stream.set_state(stream)
        with np.errstate(all="ignore"):
            stepper = kind(simulator, proxies, _TICKS)
            states = stepper.advance(_TICKS)
            everywhere = np.arange(state.shape[1])
            results.append((states, stepper.coupling_into(everywhere, [_TICKS + 1])))
    return all(
        np.array_equal(one, other, equal_nan=True) for one, other in zip(*results, strict=True)
    )


def _is_noisy(simulator: Any) -> bool:
    return hasattr(simulator.integrator, "noise")
