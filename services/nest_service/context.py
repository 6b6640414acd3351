"""The argument of a network function, and how it reads its parameters.

A network function is called once per spiking region, on every MPI rank alike, and returns the
region's populations::

    def build(context: NetworkContext) -> dict[str, Nodes]:
        cells = context.nest.Create("iaf_psc_alpha", 100)
        return {"excitatory": cells}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.experiment.adex import AdexRegion
from tvb_nest_cosim.cosim_core.plugins import suggest

Nest: TypeAlias = Any
"""The module ``nest``, which carries no types."""

Nodes: TypeAlias = Any
"""A ``NodeCollection`` of NEST."""

Schema = TypeVar("Schema", bound=BaseModel)


@dataclass(frozen=True)
class NetworkContext:
    """The argument of a network function.

    Attributes:
        region: Name of the region in the connectome.
        parameters: ``network.parameters`` of the experiment, as written there.
        adex: The experiment's ``adex`` section, if it has one.
        seed: For random numbers that the function draws outside NEST; it differs between regions
            and is the same on every rank. NEST's own generators are seeded already.
        dt_ms: Resolution of NEST in ms; set already.
        nest: The module ``nest``.
    """

    region: str
    parameters: Mapping[str, Any]
    adex: AdexRegion | None
    seed: int
    dt_ms: float
    nest: Nest

    def parse_parameters(self, schema: type[Schema]) -> Schema:
        """Checks ``parameters`` against a pydantic model that forbids unknown keys.

        Raises:
            ExperimentError: With one fault per wrong or unknown key; its key path begins with
                ``parameters``.
        """
        try:
            return schema.model_validate(dict(self.parameters))
        except ValidationError as error:
            faults = []
            for item in error.errors(include_url=False):
                path = ".".join(("parameters", *(str(part) for part in item["loc"])))
                if item["type"] == "extra_forbidden":
                    known = suggest(str(item["loc"][-1]), list(schema.model_fields))
                    faults.append(Fault(path, f"unknown key; {known}"))
                else:
                    faults.append(Fault(path, f"{item['msg']}; got {item['input']!r}"))
            raise ExperimentError(faults) from error
