"""Builds the network of every spiking region by calling the user's or a shipped function."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.experiment.base import PlainName
from tvb_nest_cosim.cosim_core.model.experiment.spiking import SpikingGroup
from tvb_nest_cosim.cosim_core.model.plan import RegionPlan, RunPlan
from tvb_nest_cosim.cosim_core.plugins import cause_of, find_object, hint_on
from tvb_nest_cosim.nest_service.context import Nest, NetworkContext, Nodes

_NAME: TypeAdapter[str] = TypeAdapter(PlainName, config=ConfigDict(strict=True))
_KERNEL = ("resolution", "rng_seed", "rng_type", "total_num_virtual_procs")


@dataclass(frozen=True)
class Region:
    """A spiking region that NEST has built.

    Attributes:
        plan: The region in the plan of the run.
        group: The group of the experiment that it belongs to.
        populations: Neurons by population, in the order of the region's neuron indices.
    """

    plan: RegionPlan
    group: SpikingGroup
    populations: Mapping[str, Nodes]

    @property
    def name(self) -> str:
        """Name in the connectome."""
        return self.plan.name

    @property
    def path(self) -> str:
        """Key path of the region's group in the experiment."""
        return f"spiking.{self.plan.group}"

    @property
    def sizes(self) -> dict[str, int]:
        """Number of neurons by population."""
        return {name: len(nodes) for name, nodes in self.populations.items()}

    @property
    def driven(self) -> list[str]:
        """Populations that get the drive, in the region's order."""
        targets = self.plan.drive.targets
        return [name for name in self.populations if targets is None or name in targets]

    def nodes(self, names: list[str]) -> Nodes:
        """Joins populations."""
        first, *others = (self.populations[name] for name in names)
        return sum(others, first)


def build_regions(
    nest: Nest, plan: RunPlan, planned: Sequence[RegionPlan]
) -> tuple[list[Region], list[Fault]]:
    """Builds regions in the order given.

    Regions of a group share their function, so after one has failed the others are skipped.

    Returns:
        The regions built, and the faults of the others.
    """
    regions: list[Region] = []
    faults: dict[int, list[Fault]] = {}
    for region in planned:
        if region.group in faults:
            continue
        try:
            regions.append(_build_region(nest, plan, region))
        except ExperimentError as error:
            faults[region.group] = [
                Fault(f"spiking.{region.group}.network.{fault.path}", fault.message, fault.detail)
                for fault in error.faults
            ]
    return regions, [fault for group in faults.values() for fault in group]


def _build_region(nest: Nest, plan: RunPlan, region: RegionPlan) -> Region:
    """Raises ExperimentError with key paths below ``network``."""
    group = plan.experiment.spiking[region.group]
    function = find_function(group.network.module, plan.base_dir)
    seed = np.random.SeedSequence([plan.experiment.seed, region.index]).generate_state(1)
    context = NetworkContext(
        region=region.name,
        parameters=group.network.parameters,
        adex=plan.experiment.adex,
        seed=int(seed[0]),
        dt_ms=plan.experiment.dt_ms,
        nest=nest,
    )
    nodes_before = nest.network_size
    kernel_before = _kernel(nest)
    try:
        result = function(context)
    except ExperimentError:
        raise
    except (Exception, SystemExit) as error:
        raise ExperimentError.single(
            "module",
            f"{group.network.module} failed for region '{region.name}': {cause_of(error)}"
            f"{hint_on(error)}",
            traceback.format_exc(),
        ) from error
    if nest.biological_time > 0:
        raise ExperimentError.single(
            "module",
            f"{group.network.module} has simulated {nest.biological_time:g} ms; it may only build, "
            "the run begins at t = 0",
        )
    changed = [key for key, value in _kernel(nest).items() if value != kernel_before[key]]
    if changed or nest.network_size < nodes_before:
        raise ExperimentError.single(
            "module",
            f"{group.network.module} has changed NEST's kernel ({', '.join(changed) or 'reset'}); "
            "the experiment sets it up (dt_ms, seed, resources.nest) and other regions share it, "
            "so leave out ResetKernel and settings of the kernel",
        )
    check_populations(nest, group.network.module, result, nodes_before)
    return Region(region, group, result)


def _kernel(nest: Nest) -> dict[str, object]:
    """Returns the settings that ``ResetKernel`` or a user's script would change for all regions."""
    return {key: nest.GetKernelStatus(key) for key in _KERNEL}


def find_function(name: str, base_dir: str) -> Callable[[NetworkContext], Any]:
    """Finds a network function by ``package.module:function``.

    Raises:
        ExperimentError: If there is no such module or function, or the module fails on import.
    """
    module_name = name.partition(":")[0]
    found = find_object(
        name, "function", lambda value: _is_own_function(value, module_name), "module", base_dir
    )
    if not callable(found):
        raise ExperimentError.single(
            "module", f"'{name}' is {type(found).__name__}, expected a function"
        )
    return found


def _is_own_function(value: object, module_name: str) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module_name


def check_populations(nest: Nest, function: str, result: object, nodes_before: int) -> None:
    """Checks what a network function has returned.

    Args:
        nest: The module ``nest``.
        function: Name of the function, for messages.
        result: What it returned.
        nodes_before: Nodes that NEST had before the call.

    Raises:
        ExperimentError: Unless it is a dict of names and non-empty, disjoint, new neurons.
    """
    if not isinstance(result, dict) or not result:
        got = "an empty dict" if isinstance(result, dict) else type(result).__name__
        raise ExperimentError.single(
            "module",
            f"{function} returned {got}, expected populations by name, such as "
            "{'excitatory': nest.Create('iaf_psc_alpha', 80)}",
        )
    problems = [
        f"population {name!r}: {problem}"
        for name, nodes in result.items()
        if (problem := _population_problem(nest, name, nodes, nodes_before))
    ]
    if not problems:
        problems = [
            f"populations '{one}' and '{other}' that overlap"
            for one, other in itertools.combinations(result, 2)
            if np.intersect1d(np.asarray(result[one]), np.asarray(result[other])).size
        ]
    if problems:
        raise ExperimentError(Fault("module", f"{function} returned {it}") for it in problems)


def _population_problem(nest: Nest, name: object, nodes: Nodes, nodes_before: int) -> str:
    try:
        _NAME.validate_python(name)
    except ValidationError:
        return "the name must be a letter followed by letters, digits or _"
    if not isinstance(nodes, nest.NodeCollection):
        return f"it is a {type(nodes).__name__}, expected a NodeCollection"
    if len(nodes) == 0:
        return "it has no neurons"
    if np.asarray(nodes).min() <= nodes_before:
        return "it holds nodes made before this call; every region needs neurons of its own"
    types = nodes.get("element_type")
    others = {types} if isinstance(types, str) else set(types)
    others.discard("neuron")
    return f"it holds nodes of type {' and '.join(sorted(others))}, not neurons" if others else ""
