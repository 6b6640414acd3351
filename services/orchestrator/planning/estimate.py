"""Memory and disk that a run takes, estimated from its plan."""

from __future__ import annotations

from pydantic import computed_field

from tvb_nest_cosim.cosim_core.model.connectome import Connectome
from tvb_nest_cosim.cosim_core.model.experiment import ADEX_NETWORK
from tvb_nest_cosim.cosim_core.model.experiment.base import Part
from tvb_nest_cosim.cosim_core.model.plan import RegionPlan, RunPlan
from tvb_nest_cosim.orchestrator.planning.tvb_models import COUPLING_VARIABLES

PROCESS_BYTES = {"tvb": 280_000_000, "nest": 140_000_000, "translator": 60_000_000}
"""Resident memory of a participant that has imported everything and built nothing (measured with
tvb-library 2.10, NEST 3.10)."""

NEURON_BYTES = 2200
"""Memory of one ``aeif_cond_exp`` neuron (measured with NEST 3.10)."""

SYNAPSE_BYTES = 80
"""Memory of one static synapse with its share of NEST's tables (measured with NEST 3.10)."""

SPIKE_BYTES = 6
"""A recorded spike in the journal: neuron (uint32) and tick (uint16)."""

SPIKE_FILE_BYTES = 16
"""The same in ``spikes.h5``: time (float64) and node (uint64), not compressed."""

ASSUMED_HZ = 20.0
"""Mean rate for which the space of recorded spikes is estimated."""

FIXED_DISK_BYTES = 5_000_000
"""Report, figures and logs."""

COPIES = 2
"""What the journals hold is written once more into the result files."""


class Amount(Part):
    """One part of an estimate."""

    what: str
    """What needs it."""
    bytes: int
    """How much."""


class Estimate(Part):
    """What a run takes, as far as it can be known before anything is built."""

    memory: list[Amount]
    """Estimated memory, by what needs it."""
    nest_rank_bytes: int | None
    """Estimated memory of the largest MPI rank of NEST; None: there is no NEST."""
    disk: list[Amount]
    """Estimated size of the run directory, by what needs it."""
    warnings: list[str]
    """What one side cannot honour, what was left out, what is not estimated."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def memory_bytes(self) -> int:
        """Estimated memory of all participants."""
        return sum(amount.bytes for amount in self.memory)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def disk_bytes(self) -> int:
        """Estimated size of the run directory."""
        return sum(amount.bytes for amount in self.disk)


def estimate(plan: RunPlan, connectome: Connectome) -> Estimate:
    """Estimates memory and disk of a run.

    Args:
        plan: The plan.
        connectome: The connectome it was made for.
    """
    return Estimate(
        memory=_memory(plan, connectome),
        nest_rank_bytes=_nest_rank_bytes(plan),
        disk=_disk(plan, connectome),
        warnings=[*plan.warnings, *_not_estimated(plan)],
    )


def _neurons(plan: RunPlan, region: RegionPlan) -> int:
    """Neurons of a region, 0 if only its network knows."""
    adex = plan.experiment.adex
    known = plan.experiment.spiking[region.group].network.module == ADEX_NETWORK
    return adex.neurons if adex and known else 0


def _not_estimated(plan: RunPlan) -> list[str]:
    unknown = [region.name for region in plan.regions if not _neurons(plan, region)]
    if "nest" not in plan.participants or not unknown:
        return []
    return [
        f"the neurons of {', '.join(unknown)} are not known before NEST builds them; memory and "
        "disk are estimated without them"
    ]


def _memory(plan: RunPlan, connectome: Connectome) -> list[Amount]:
    amounts = [
        Amount(
            what=f"{role}: {count} process{'es' * (count > 1)}", bytes=PROCESS_BYTES[role] * count
        )
        for role, count in plan.participants.items()
    ]
    for region in plan.regions if "nest" in plan.participants else ():
        if neurons := _neurons(plan, region):
            synapses = _synapses_per_neuron(plan, region)
            amounts.append(
                Amount(
                    what=f"NEST: {neurons} neurons of {region.name}, {synapses:.0f} synapses each",
                    bytes=_region_bytes(plan, region),
                )
            )
    if "tvb" in plan.participants:
        ticks = int(connectome.idelays(plan.experiment.dt_ms).max()) + 1
        variables = len(COUPLING_VARIABLES.get(plan.experiment.tvb.model.name, ("",)))
        # float32, held once by tvb-library and once by the stepper
        history = 2 * 4 * ticks * variables * len(connectome.labels)
        amounts.append(Amount(what=f"TVB: history of {ticks} ticks", bytes=history))
    return amounts


def _synapses_per_neuron(plan: RunPlan, region: RegionPlan) -> float:
    adex = plan.experiment.adex
    own = round(adex.p_connect * _neurons(plan, region)) + 1.0 if adex else 0.0
    return own + sum(t.synapses_per_neuron for t in plan.tracts if t.target == region.name)


def _region_bytes(plan: RunPlan, region: RegionPlan) -> int:
    """Estimates the memory of a region's neurons and synapses, over all ranks."""
    synapses = _synapses_per_neuron(plan, region)
    return round(_neurons(plan, region) * (NEURON_BYTES + synapses * SYNAPSE_BYTES))


def _nest_rank_bytes(plan: RunPlan) -> int | None:
    """NEST deals neurons, and with them their synapses, evenly to the ranks of a kernel."""
    if "nest" not in plan.participants:
        return None
    firsts = range(0, plan.participants["nest"], plan.ranks_per_kernel)
    kernels = [sum(_region_bytes(plan, r) for r in plan.regions_of(first)) for first in firsts]
    return PROCESS_BYTES["nest"] + round(max(kernels) / plan.ranks_per_kernel)


def _disk(plan: RunPlan, connectome: Connectome) -> list[Amount]:
    seconds = plan.experiment.duration_ms / 1000.0
    amounts = [Amount(what="report, figures and logs", bytes=FIXED_DISK_BYTES)]
    if "translator" in plan.participants:
        # coupling, input, and of two populations counts and rates, per tick
        per_tick = len(plan.regions) * (8 + 8 + 2 * (4 + 8))
        amounts.append(
            Amount(what="rates and drive of every tick", bytes=COPIES * per_tick * plan.total_ticks)
        )
    if "nest" in plan.participants:
        spikes = sum(
            _neurons(plan, region) * ASSUMED_HZ * seconds
            for region in plan.regions
            if plan.experiment.spiking[region.group].record.spikes
        )
        amounts.append(
            Amount(
                what=f"spikes at {ASSUMED_HZ:g} Hz",
                bytes=round((SPIKE_BYTES + SPIKE_FILE_BYTES) * spikes),
            )
        )
        amounts.extend(_analog(plan))
    if "tvb" in plan.participants:
        amounts.extend(_monitors(plan, connectome))
    return amounts


def _analog(plan: RunPlan) -> list[Amount]:
    total = 0.0
    for region in plan.regions:
        for analog in plan.experiment.spiking[region.group].record.analog:
            neurons = analog.neurons if isinstance(analog.neurons, int) else len(analog.neurons)
            samples = neurons * plan.experiment.duration_ms / analog.interval_ms
            total += COPIES * samples * (SPIKE_BYTES + 8 * len(analog.variables))
    return [Amount(what="multimeters", bytes=round(total))] if total else []


def _monitors(plan: RunPlan, connectome: Connectome) -> list[Amount]:
    tvb = plan.experiment.tvb
    variables = len(tvb.model.variables_of_interest or [""])
    amounts = []
    for monitor in tvb.monitors:
        period_ms = monitor.period_ms or plan.experiment.dt_ms
        samples = plan.experiment.duration_ms / period_ms
        nodes = 1 if monitor.name == "GlobalAverage" else len(connectome.labels)
        size = COPIES * samples * 8 * (1 + variables * nodes)
        amounts.append(Amount(what=f"TVB: {monitor.key}", bytes=round(size)))
    return amounts
