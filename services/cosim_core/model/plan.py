"""The plan of a run, as every participant gets it: nothing left to derive or to guess.

Timing convention of the *drive*. Input that acts on a neuron at tick s (its synaptic current or
conductance changes at the end of that step, as a spike with stamp s + delay does in NEST) leaves
the device ``hop_ticks`` earlier. Blocks towards NEST are labelled by *emission*: the block of
window k holds what devices emit at ticks k*W+1 ... (k+1)*W, and that is TVB's coupling for the
ticks ``hop_ticks`` later. In the first ``hop_ticks`` ticks of a run no drive can act, since no
device can have fired before the run began.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from tvb_nest_cosim.cosim_core.model.experiment.adex import DriveNoise
from tvb_nest_cosim.cosim_core.model.experiment.base import Part
from tvb_nest_cosim.cosim_core.model.experiment.spiking import DriveKind, Feed
from tvb_nest_cosim.cosim_core.model.experiment.tree import Experiment
from tvb_nest_cosim.cosim_core.model.timegrid import TimeGrid

Populations = dict[str, dict[str, int]]
"""Number of neurons by region and population, in the order of the region's neuron indices."""


class DrivePlan(Part):
    """Drive of one region, every number resolved."""

    kind: DriveKind
    targets: list[str] | None
    weight: float
    synapses: float
    external_hz: float
    least_hz: float = 0.0
    """Least rate of an afferent. TVB's first-order Zerlaut model adds the external input to what
    coupling and noise leave above 0, its second-order model takes the sum of all three above 0;
    a spiking region follows the model of its neighbours."""
    correlation: float
    current_pA_per_hz: float
    coupling_variable: int
    """Index among the model's coupling variables (``model.cvar``)."""
    hz_per_unit: float
    noise: DriveNoise | None
    hop_ticks: int


class RegionPlan(Part):
    """One spiking region."""

    name: str
    index: int
    """Index in the connectome."""
    group: int
    """Index into ``experiment.spiking``."""
    drive: DrivePlan
    feeds: list[Feed]

    @property
    def fed_populations(self) -> list[str]:
        """Populations that TVB is fed from, each once; the rows of a stand-in's rates."""
        return list(dict.fromkeys(feed.population for feed in self.feeds))


class TractPlan(Part):
    """Synapses from one spiking region to another."""

    source: str
    target: str
    source_population: str
    target_populations: list[str] | None
    """None: the populations that get the target region's drive."""
    synapses_per_neuron: float
    """Mean number per target neuron; the total is rounded, then drawn at random pairs."""
    weight: float
    delay_ticks: int


class RunPlan(Part):
    """Everything that the participants of a run have to agree on."""

    run: str
    """Identity of the run."""
    run_dir: str
    """Absolute path."""
    base_dir: str
    """Folder of the experiment file; relative paths and user modules are looked up here."""
    experiment: Experiment
    experiment_digest: str
    """SHA-256 of the resolved experiment, compared at hello."""
    participants: dict[str, int]
    """Processes by role: ``tvb``, ``nest`` (ranks of all kernels), ``translator``."""
    nest_kernels: int = 1
    """How many NESTs there are. With several each has one spiking region, in their order, and
    equally many ranks, counted through."""
    edges: list[str]
    """Edges that exist in this ensemble."""
    total_ticks: int
    window_ticks: int
    lookahead: int
    connectome_path: str
    regions: list[RegionPlan]
    """Spiking regions, in the order declared."""
    tracts: list[TractPlan]
    tvb_parameters: dict[str, float | list[float] | list[list[float]] | str]
    """Parameters of TVB's model, declared and derived."""
    tvb_noise: dict[str, float] = Field(default_factory=dict)
    """nsig by state variable that follows from the declaration (``ou_drift``)."""
    has_proxies: bool
    """Whether TVB treats the spiking regions as proxies."""
    warnings: list[str] = Field(default_factory=list)

    @property
    def grid(self) -> TimeGrid:
        """The run's division into windows."""
        return TimeGrid(self.experiment.dt_ms, self.total_ticks, self.window_ticks)

    @property
    def ranks_per_kernel(self) -> int:
        """MPI ranks of one NEST."""
        return self.participants.get("nest", 0) // self.nest_kernels

    @property
    def carried(self) -> frozenset[int]:
        """Connectome indices of spiking regions that get the others' rates through TVB."""
        groups = self.experiment.spiking
        return frozenset(r.index for r in self.regions if groups[r.group].tracts.mode == "rates")

    def kernel_of(self, rank: int) -> int:
        """Returns the number of the NEST that a rank is part of."""
        return rank // self.ranks_per_kernel

    def regions_of(self, rank: int) -> list[RegionPlan]:
        """Returns the spiking regions that a rank of NEST works on."""
        return self.regions if self.nest_kernels == 1 else [self.regions[self.kernel_of(rank)]]

    def ranks_of(self, region: str) -> range:
        """Returns the ranks of NEST that work on a spiking region."""
        if self.nest_kernels == 1:
            return range(self.participants.get("nest", 0))
        kernel = [planned.name for planned in self.regions].index(region)
        return range(kernel * self.ranks_per_kernel, (kernel + 1) * self.ranks_per_kernel)

    def rows_of_rates(self, built: Populations) -> Populations:
        """Returns the populations that ``rates/REGION`` has as rows.

        Args:
            built: What NEST built; nothing if a stand-in speaks for it.
        """
        if "nest" in self.participants or not self.has_proxies:
            return built
        return {region.name: dict.fromkeys(region.fed_populations, 0) for region in self.regions}


class MonitorFacts(Part):
    """What a TVB monitor delivers."""

    variables: list[str]
    """Names along the second axis of its data."""
    nodes: list[str]
    """Names along the third axis: regions, sensors, or ``mean``."""
    period_ms: float
    """Sampling period really used."""


class Built(Part):
    """What a participant has built; only rank 0 of NEST fills ``populations``."""

    populations: Populations = Field(default_factory=dict)
    monitors: dict[str, MonitorFacts] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    """Versions of the simulator and of what matters to its numbers."""
    warnings: list[str] = Field(default_factory=list)


def merged(parts: Iterable[Built]) -> Built:
    """Puts together what the participants have built."""
    whole = Built()
    for part in parts:
        whole = Built(
            populations={**whole.populations, **part.populations},
            monitors={**whole.monitors, **part.monitors},
            versions={**whole.versions, **part.versions},
            warnings=list(dict.fromkeys([*whole.warnings, *part.warnings])),
        )
    return whole
