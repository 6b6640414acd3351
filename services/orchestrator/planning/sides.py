"""Which simulators take part in an experiment, and the processes and streams that follow."""

from __future__ import annotations

from dataclasses import dataclass

from tvb_nest_cosim.cosim_core.model.experiment import Experiment
from tvb_nest_cosim.cosim_core.model.signals import (
    NEST_TO_TRANSLATOR,
    TRANSLATOR_TO_NEST,
    TRANSLATOR_TO_TVB,
    TVB_TO_TRANSLATOR,
)


@dataclass(frozen=True)
class Sides:
    """Which simulators take part, and how.

    Attributes:
        nest: Whether NEST runs.
        tvb: Whether TVB runs.
        proxies: Whether TVB treats the spiking regions as proxies.
    """

    nest: bool
    tvb: bool
    proxies: bool

    @classmethod
    def of(cls, experiment: Experiment) -> Sides:
        """Reads the sides from ``simulators`` and ``stand_in``."""
        kind = experiment.simulators
        fed = kind == "tvb" and experiment.stand_in is not None
        return cls(kind != "tvb", kind != "nest", kind == "both" or fed)

    @property
    def has_groups(self) -> bool:
        """Whether the spiking groups matter to anybody."""
        return self.nest or self.proxies

    @property
    def edges(self) -> list[str]:
        """Directed streams between participants."""
        of_tvb = [TVB_TO_TRANSLATOR, TRANSLATOR_TO_TVB] if self.proxies else []
        of_nest = [TRANSLATOR_TO_NEST, NEST_TO_TRANSLATOR] if self.nest else []
        return of_tvb + of_nest

    def participants(self, experiment: Experiment) -> dict[str, int]:
        """Returns the number of processes by role."""
        ranks = experiment.resources.nest.ranks * nest_kernels(experiment)
        counts = {"tvb": int(self.tvb), "nest": ranks * self.nest, "translator": self.has_groups}
        return {role: int(count) for role, count in counts.items() if count}


def nest_kernels(experiment: Experiment) -> int:
    """Returns how many NESTs share the spiking regions."""
    if experiment.resources.nest.kernels == "shared":
        return 1
    return max(1, len(list(experiment.spiking_regions())))
