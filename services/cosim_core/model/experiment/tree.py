"""The whole experiment: one frozen tree, read from a YAML file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from tvb_nest_cosim.cosim_core.model.experiment.adex import AdexRegion
from tvb_nest_cosim.cosim_core.model.experiment.base import (
    Count,
    FileName,
    Name,
    NonNegative,
    Part,
    Positive,
)
from tvb_nest_cosim.cosim_core.model.experiment.connectome import ConnectomeChoice
from tvb_nest_cosim.cosim_core.model.experiment.spiking import SpikingGroup
from tvb_nest_cosim.cosim_core.model.experiment.tvb import TvbSide


class WindowChoice(Part):
    """How long the simulators run between two exchanges. The results do not depend on it."""

    length_ms: Positive | Literal["auto"] = "auto"
    """A length, refused beyond what is exact, or the longest exact one."""
    lookahead: Literal["auto", 1, 2] = "auto"
    """Windows that a simulator may run beyond the data it has seen; 2 hides translation."""


class NestResources(Part):
    """Processes and threads of NEST."""

    kernels: Literal["shared", "per_region"] = "shared"
    """``shared``: one NEST simulates all spiking regions. ``per_region``: every region has a NEST
    of its own, with as many ranks and threads as said here (a job step of its own on a cluster);
    they run side by side and meet at the ends of windows only."""
    ranks: Count = 1
    """MPI processes; more than one needs a NEST built with MPI."""
    threads: Count = 1
    """Threads per process."""
    virtual_processes: Count | None = None
    """Total of virtual processes; results depend on it and on ``kernels``, and on nothing else
    here. Default: ranks times threads. Must be a multiple of ranks."""

    @property
    def total_virtual_processes(self) -> int:
        """Virtual processes that NEST really uses."""
        return self.virtual_processes or self.ranks * self.threads


class Resources(Part):
    """What the run may use."""

    nest: NestResources = NestResources()
    """NEST's processes."""


class Constant(Part):
    """A constant in place of the absent side."""

    kind: Literal["constant"] = "constant"
    """Marks the form."""
    hz: NonNegative | dict[Name, NonNegative] = 0.0
    """Rate of every region, or by region (others 0)."""


class File(Part):
    """A time series in place of the absent side."""

    kind: Literal["file"]
    """Marks the form."""
    path: FileName
    """CSV: a column ``time_ms`` and one per region, in Hz; each value holds until the next."""


class RunJournal(Part):
    """The journal of an earlier run in place of the absent side."""

    kind: Literal["journal"]
    """Marks the form."""
    run: FileName
    """Its run directory."""


StandIn = Annotated[Constant | File | RunJournal, Field(discriminator="kind")]


STALL_WINDOWS = 20
"""How many times the longest window so far one may take, unless the experiment says otherwise."""

PATIENT_S = 120.0
"""How long a file system may keep a process waiting, unless the experiment says otherwise."""


class Timeouts(Part):
    """Deadlines, in seconds of wall time."""

    start_s: Positive = 300.0
    """Until every participant has built its side."""
    stall_s: Positive | None = None
    """Without progress of any participant before the run is given up. Default: 20 times the longest
    window so far and at least 10 s; at least 120 s while a disk or the network is waited for, or
    where a process cannot be seen; ``start_s`` in the first windows. A stopped process is named
    within 10 s in any case, one that sleeps while all others wait only if nothing is given."""

    def stall_after_s(self, longest_window_s: float, at_least_s: float) -> float:
        """Returns after how long without progress a run is given up."""
        if self.stall_s is not None:
            return self.stall_s
        return max(at_least_s, STALL_WINDOWS * longest_window_s)

    def backstop_s(self, longest_window_s: float) -> float:
        """Returns how long a participant waits for a block: longer than the orchestrator would.

        Args:
            longest_window_s: Longest window so far, as this participant has seen it.
        """
        return 2 * self.stall_after_s(longest_window_s, max(self.start_s, PATIENT_S))


class Experiment(Part):
    """A co-simulation of TVB and NEST, or of one of them."""

    name: Name = "experiment"
    """Short name; becomes part of the run directory's name."""
    description: str = ""
    """What it shows; printed in the report."""
    simulators: Literal["both", "tvb", "nest"] = "both"
    """Which simulators take part. ``tvb``: spiking regions are mean fields as all others, or, with
    a ``stand_in``, proxies fed by it. ``nest``: the drive comes from ``stand_in``."""
    duration_ms: Positive = 1000.0
    """Simulated time."""
    dt_ms: Positive = 0.1
    """Step of both simulators."""
    seed: Annotated[int, Field(ge=1, le=2**31 - 2)] = 1
    """Every random number of the run derives from it."""
    window: WindowChoice = WindowChoice()
    """Length of windows and lookahead."""
    connectome: ConnectomeChoice = ConnectomeChoice()
    """Regions, weights and tracts."""
    adex: AdexRegion | None = None
    """Cells, synapses, drive and noise, once for both sides."""
    tvb: TvbSide = TvbSide()
    """The mean-field side."""
    spiking: list[SpikingGroup] = Field(default_factory=list)
    """The spiking regions."""
    stand_in: StandIn | None = None
    """What replaces the absent side."""
    resources: Resources = Resources()
    """Processes and threads."""
    timeouts: Timeouts = Timeouts()
    """Deadlines."""

    def spiking_regions(self) -> Iterator[tuple[str, int, SpikingGroup]]:
        """Yields region name, index of its group and its group, in the order declared."""
        for index, group in enumerate(self.spiking):
            for region in group.regions:
                yield region, index, group
