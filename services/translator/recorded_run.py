"""The journal of an earlier run, as a source of one side's signals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault, RunDirectoryError
from tvb_nest_cosim.cosim_core.model.arrays import Reals
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.model.signals import TVB_TO_TRANSLATOR
from tvb_nest_cosim.cosim_core.model.timegrid import ms_of
from tvb_nest_cosim.cosim_core.plugins import find_run
from tvb_nest_cosim.cosim_core.run_dir.recorder import record_edge
from tvb_nest_cosim.cosim_core.run_dir.records import RunRecords

PATH = "stand_in.run"
"""Key path of the run directory's name."""


@dataclass(frozen=True)
class RecordedRun:
    """A run whose translator's journal replaces one side of another run.

    Attributes:
        records: The run.
    """

    records: RunRecords

    @classmethod
    def open(cls, base_dir: str, name: str) -> RecordedRun:
        """Opens a run directory; a relative path is looked up in ``base_dir``.

        Raises:
            ExperimentError: If it is not one, or its plan is damaged or of another version.
        """
        try:
            return cls(RunRecords.open(find_run(base_dir, name)))
        except RunDirectoryError as error:
            raise ExperimentError.single(PATH, str(error)) from error

    def hop_ticks(self) -> dict[str, int]:
        """Returns how long the drive took from device to neuron, by region."""
        return {region.name: region.drive.hop_ticks for region in self.records.plan.regions}

    def coupling(self, regions: Sequence[str], plan: RunPlan) -> dict[str, Reals]:
        """Returns TVB's coupling by region, float64 [tick], Hz, by emission tick of that run.

        Raises:
            ExperimentError: If a region is missing, the run is shorter, or dt differs.
        """
        return self._signals(TVB_TO_TRANSLATOR, "coupling", regions, plan)

    def rates(self, fed: Mapping[str, Sequence[str]], plan: RunPlan) -> dict[str, Reals]:
        """Returns rates by region, float64 [population, tick], Hz.

        Args:
            fed: Region name to its fed populations, the rows in this order.
            plan: Plan of the run that needs them.

        Raises:
            ExperimentError: If a region or population is missing, the run is shorter, or dt
                differs.
        """
        rates = self._signals(record_edge("translator"), "rates", fed, plan)
        faults, chosen = [], {}
        for region, populations in fed.items():
            had = list(self.records.rows_of_rates.get(region, {}))
            unknown = [population for population in populations if population not in had]
            if unknown:
                faults.append(
                    f"region '{region}' had no population {', '.join(unknown)} in "
                    f"{self.records.layout.root}; it had: {', '.join(had) or 'none'}"
                )
            else:
                chosen[region] = rates[region][[had.index(name) for name in populations]]
        _refuse(faults)
        return chosen

    def _signals(
        self, edge: str, prefix: str, regions: Iterable[str], plan: RunPlan
    ) -> dict[str, Reals]:
        root = self.records.layout.root
        here, there = plan.experiment.dt_ms, self.records.plan.experiment.dt_ms
        if here != there:
            _refuse([f"{root} has dt_ms {there:g}, this experiment has {here:g}"])
        try:
            found = self.records.joined(edge, prefix, regions)
        except RunDirectoryError as error:
            raise ExperimentError.single(PATH, str(error)) from error
        faults = []
        for region in regions:
            if region not in found:
                faults.append(
                    f"{root}: its journal holds no {prefix} of region '{region}' (edge {edge})"
                )
            elif (ticks := found[region].shape[-1]) < plan.total_ticks:
                faults.append(
                    f"{root}: its journal holds {prefix} of region '{region}' for "
                    f"{ms_of(ticks, there):g} ms, this experiment lasts "
                    f"{ms_of(plan.total_ticks, here):g} ms"
                )
        _refuse(faults)
        return found


def _refuse(messages: Sequence[str]) -> None:
    if messages:
        raise ExperimentError([Fault(PATH, message) for message in messages])
