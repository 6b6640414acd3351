"""The plan of a run as the answer to ``POST /validate`` shows it."""

from __future__ import annotations

from typing import Self

from pydantic import computed_field

from tvb_nest_cosim.cosim_core.model.experiment.base import Part
from tvb_nest_cosim.cosim_core.model.plan import RegionPlan
from tvb_nest_cosim.cosim_core.model.timegrid import ms_of
from tvb_nest_cosim.orchestrator.planning.estimate import Estimate
from tvb_nest_cosim.orchestrator.planning.plan import Planned


class RegionReport(Part):
    """A spiking region."""

    name: str
    index: int
    """Index in the connectome."""
    network: str
    """The function that builds it."""
    drive: str
    """Kind of the drive."""
    hop_ms: float
    """What the drive's devices take of every tract's delay."""
    synapses: float
    """Afferents that each driven neuron stands for."""
    weight: float
    """Weight of the drive."""
    external_hz: float
    """Rate of every afferent beyond TVB's coupling."""
    limit_ms: float | None
    """Longest lookahead times window that is exact for this region; None: not coupled to TVB."""

    @classmethod
    def of(cls, planned: Planned, region: RegionPlan) -> Self:
        """Describes a region of a plan."""
        experiment, drive = planned.plan.experiment, region.drive
        limit_ticks = planned.limits_ticks.get(region.name)
        return cls(
            name=region.name,
            index=region.index,
            network=experiment.spiking[region.group].network.module,
            drive=drive.kind,
            hop_ms=ms_of(drive.hop_ticks, experiment.dt_ms),
            synapses=drive.synapses,
            weight=drive.weight,
            external_hz=drive.external_hz,
            limit_ms=None if limit_ticks is None else ms_of(limit_ticks, experiment.dt_ms),
        )


class TractReport(Part):
    """Synapses from one spiking region to another."""

    source: str
    target: str
    delay_ms: float
    """Synaptic delay."""
    synapses_per_neuron: float
    """Mean number per target neuron."""
    weight: float
    """Synaptic weight."""


class PlanReport(Estimate):
    """A plan in numbers that a person can judge."""

    name: str
    """Name of the experiment."""
    simulators: str
    """Which simulators take part."""
    duration_ms: float
    """Simulated time."""
    dt_ms: float
    """Length of a tick."""
    window_ticks: int
    """Ticks between two exchanges."""
    window_ms: float
    """The same in ms."""
    window_count: int
    """Windows of the run, the last one perhaps shorter."""
    lookahead: int
    """Windows that a simulator may run beyond the data it has seen."""
    limit_ticks: int | None
    """Longest lookahead times window that is exact; None: nothing limits it."""
    limit_ms: float | None
    """The same in ms."""
    limit_edge: str | None
    """The tract that sets the limit."""
    participants: dict[str, int]
    """Processes by role."""
    edges: list[str]
    """Directed streams between participants."""
    endpoints: dict[str, str]
    """Sockets on the server's machine, by plane (``control``, ``data``), folder left out."""
    regions: list[RegionReport]
    """Spiking regions."""
    tracts: list[TractReport]
    """Synapses between them."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def processes(self) -> int:
        """Processes of all participants."""
        return sum(self.participants.values())

    @classmethod
    def of(cls, planned: Planned) -> Self:
        """Describes a plan and its estimates."""
        plan, estimate, limit = planned.plan, planned.estimate, planned.limit
        experiment, dt_ms = plan.experiment, plan.experiment.dt_ms
        return cls(
            name=experiment.name,
            simulators=experiment.simulators,
            duration_ms=experiment.duration_ms,
            dt_ms=dt_ms,
            window_ticks=plan.window_ticks,
            window_ms=ms_of(plan.window_ticks, dt_ms),
            window_count=plan.grid.window_count,
            lookahead=plan.lookahead,
            limit_ticks=limit and limit.limit_ticks,
            limit_ms=limit and ms_of(limit.limit_ticks, dt_ms),
            limit_edge=limit and limit.describe(dt_ms),
            participants=plan.participants,
            edges=plan.edges,
            endpoints={
                plane: f"ipc://cosim-*/{plane}"
                for plane in (["control", "data"] if plan.edges else ["control"])
            },
            regions=[RegionReport.of(planned, region) for region in plan.regions],
            tracts=[
                TractReport(
                    source=tract.source,
                    target=tract.target,
                    delay_ms=ms_of(tract.delay_ticks, dt_ms),
                    synapses_per_neuron=tract.synapses_per_neuron,
                    weight=tract.weight,
                )
                for tract in plan.tracts
            ],
            memory=estimate.memory,
            nest_rank_bytes=estimate.nest_rank_bytes,
            disk=estimate.disk,
            warnings=estimate.warnings,
        )
