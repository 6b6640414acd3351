"""Where the spiking regions are: declared in the experiment, and found in the connectome."""

from __future__ import annotations

from dataclasses import dataclass

from tvb_nest_cosim.cosim_core.errors import Fault
from tvb_nest_cosim.cosim_core.model.connectome import Connectome
from tvb_nest_cosim.cosim_core.model.experiment import Experiment


@dataclass(frozen=True)
class Location:
    """Where a spiking region is declared and where it lies in the connectome.

    Attributes:
        name: Its name.
        index: Index in the connectome.
        group: Index of its group in ``spiking``.
        path: Key path at which it is declared.
    """

    name: str
    index: int
    group: int
    path: str


def locate(experiment: Experiment, connectome: Connectome, faults: list[Fault]) -> list[Location]:
    """Finds the spiking regions, in the order declared.

    Args:
        experiment: The experiment.
        connectome: Its connectome.
        faults: Gets regions that do not exist or are declared twice.
    """
    located: dict[str, Location] = {}
    for group, declared in enumerate(experiment.spiking):
        for position, name in enumerate(declared.regions):
            path = f"spiking.{group}.regions.{position}"
            try:
                index = connectome.index(name)
            except KeyError as error:
                faults.append(Fault(path, error.args[0]))
                continue
            if name in located:
                faults.append(Fault(path, f"'{name}' is spiking already, at {located[name].path}"))
            else:
                located[name] = Location(name, index, group, path)
    return list(located.values())
