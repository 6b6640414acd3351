"""NEST as a participant: builds the spiking regions and carries them through the windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault, SimulationError
from tvb_nest_cosim.cosim_core.model.plan import Built, Populations, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import (
    NEST_TO_TRANSLATOR,
    TRANSLATOR_TO_NEST,
    Array,
    Record,
)
from tvb_nest_cosim.cosim_core.model.timegrid import Window, ms_of
from tvb_nest_cosim.cosim_core.plugins import cause_of
from tvb_nest_cosim.nest_service.checks import check_names
from tvb_nest_cosim.nest_service.context import Nest
from tvb_nest_cosim.nest_service.devices import Drive
from tvb_nest_cosim.nest_service.kernel import load_nest, prepare_kernel
from tvb_nest_cosim.nest_service.recorders import Recorders
from tvb_nest_cosim.nest_service.regions import Region, build_regions
from tvb_nest_cosim.nest_service.tracts import connect_tracts


@dataclass(frozen=True)
class _Network:
    """The network in NEST's kernel, with its devices."""

    nest: Nest
    dt_ms: float
    record: Record
    drive: Drive
    recorders: Recorders


class NestSimulator:
    """NEST, advancing in windows. With MPI every rank makes the same calls in the same order.

    NEST has one kernel per process, so there is one of these per process; building empties it.
    """

    in_edge: str | None = TRANSLATOR_TO_NEST
    out_edge: str | None = NEST_TO_TRANSLATOR
    lag = 0
    lead = 0

    def __init__(self) -> None:
        self._built: _Network | None = None

    def build(self, plan: RunPlan, rank: int, record: Record) -> Built:
        """Builds regions, tracts, drive and recorders; see :class:`Simulator`.

        Raises:
            ExperimentError: With the faults of all regions.
        """
        nest = load_nest(plan.ranks_per_kernel)
        warnings = prepare_kernel(nest, plan, plan.kernel_of(rank))
        regions, faults = build_regions(nest, plan, plan.regions_of(rank))
        faults += check_names(nest, regions, plan)
        if faults:
            raise ExperimentError(faults)
        self._built = _connect(nest, plan, regions, record)
        is_first = rank % plan.ranks_per_kernel == 0
        return Built(
            populations={region.name: region.sizes for region in regions} if is_first else {},
            versions={"nest": str(nest.__version__)},
            warnings=warnings,
        )

    def start(self, populations: Populations) -> None:
        """Ignores the populations: they are those that NEST has built."""

    def prologue(self, window: Window) -> Mapping[str, Array]:
        """Returns nothing: no spike is known before the run starts."""
        return {}

    def absorb(self, window: Window, arrays: Mapping[str, Array]) -> None:
        """Sets what the drive's devices emit in ``window``.

        Raises:
            SimulationError: If NEST refuses the drive.
        """
        network = self._network
        with _nest_errors(network, window, "refused the drive"):
            network.drive.emit(window.start, window.ticks, arrays)

    def advance(self, window: Window) -> None:
        """Simulates ``window``.

        Raises:
            SimulationError: If NEST fails.
        """
        network = self._network
        with _nest_errors(network, window, "failed"):
            network.nest.Simulate(ms_of(window.ticks, network.dt_ms))

    def read(self, window: Window) -> Mapping[str, Array]:
        """Reads NEST's recorders; returns spikes as counts, and singly where a translator asks."""
        network = self._network
        sent, recorded = network.recorders.read(window)
        network.record(window, recorded)
        return sent

    def finish(self) -> None:
        """Has nothing left to record: every window is recorded when it is read."""

    def close(self) -> None:
        """Drops the devices; the kernel's memory is freed by the next build or at exit."""
        self._built = None

    @property
    def _network(self) -> _Network:
        if self._built is None:
            raise RuntimeError("NestSimulator is used before build or after close")
        return self._built


def _connect(nest: Nest, plan: RunPlan, regions: list[Region], record: Record) -> _Network:
    """Raises ExperimentError if NEST refuses a connection or device."""
    dt_ms = plan.experiment.dt_ms
    with _build_errors(nest, "spiking", "tracts"):
        connect_tracts(nest, regions, plan.tracts, dt_ms)
    with _build_errors(nest, "spiking", "drive"):
        drive = Drive(nest, regions, dt_ms)
    with _build_errors(nest, "spiking", "recorders"):
        return _Network(
            nest=nest,
            dt_ms=dt_ms,
            record=record,
            drive=drive,
            recorders=Recorders(nest, regions, dt_ms),
        )


@contextmanager
def _build_errors(nest: Nest, path: str, what: str) -> Iterator[None]:
    try:
        yield
    except nest.NESTErrors.KernelException as error:
        raise ExperimentError(
            [Fault(path, f"NEST cannot connect the {what}: {cause_of(error)}")]
        ) from error


@contextmanager
def _nest_errors(network: _Network, window: Window, what: str) -> Iterator[None]:
    kernel_exception: Any = network.nest.NESTErrors.KernelException
    try:
        yield
    except kernel_exception as error:
        start, stop = (ms_of(tick, network.dt_ms) for tick in (window.start, window.stop))
        raise SimulationError(
            f"NEST {what} in window {window.index} ({start:g} ... {stop:g} ms): {cause_of(error)}"
        ) from error
