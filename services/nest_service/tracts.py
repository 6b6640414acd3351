"""Tracts between spiking regions: real synapses with the tract's delay."""

from __future__ import annotations

from collections.abc import Sequence

from tvb_nest_cosim.cosim_core.model.plan import TractPlan
from tvb_nest_cosim.cosim_core.model.timegrid import ms_of
from tvb_nest_cosim.nest_service.context import Nest
from tvb_nest_cosim.nest_service.refusals import refusals
from tvb_nest_cosim.nest_service.regions import Region


def connect_tracts(
    nest: Nest, regions: Sequence[Region], tracts: Sequence[TractPlan], dt_ms: float
) -> None:
    """Connects the regions by synapses between neurons drawn at random, pairs repeating freely.

    The total is the plan's mean number per target neuron times the number of target neurons,
    rounded.

    Raises:
        ExperimentError: If NEST refuses a tract.
    """
    by_name = {region.name: region for region in regions}
    for tract in tracts:
        target = by_name[tract.target]
        names = [
            name
            for name in target.populations
            if name in (tract.target_populations or target.driven)
        ]
        nodes = target.nodes(names)
        total = round(tract.synapses_per_neuron * len(nodes))
        if total == 0:
            continue
        what = f"the tract from {tract.source} to {tract.target}"
        remedy = (
            "choose tracts.targets that take such synapses, or leave them out: tracts.mode: none"
        )
        with refusals(nest, f"{target.path}.tracts", what, remedy):
            nest.Connect(
                by_name[tract.source].populations[tract.source_population],
                nodes,
                {"rule": "fixed_total_number", "N": total, "allow_multapses": True},
                {"weight": tract.weight, "delay": ms_of(tract.delay_ticks, dt_ms)},
            )
