"""The journal of an earlier run, as a source of one side's signals."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault, RunDirectoryError
from tvb_nest_cosim.cosim_core.model.plan import Populations, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import TVB_TO_TRANSLATOR
from tvb_nest_cosim.cosim_core.model.timegrid import ms_of
from tvb_nest_cosim.cosim_core.plugins import find_run
from tvb_nest_cosim.cosim_core.run_dir.journal import read_journal
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout

Reals = npt.NDArray[np.float64]

PATH = "stand_in.run"
"""Key path of the run directory's name."""

RECORD = "translator.record"
"""Edge of what the translator keeps."""


@dataclass(frozen=True)
class EarlierRun:
    """A run directory that holds a plan and the translator's journal.

    Attributes:
        layout: Its paths.
        plan: Its plan.
        populations: What NEST had built.
    """

    layout: RunLayout
    plan: RunPlan
    populations: Populations

    @classmethod
    def open(cls, base_dir: str, name: str) -> EarlierRun:
        """Opens a run directory; a relative path is looked up in ``base_dir``.

        Raises:
            ExperimentError: If it is none, or its plan is damaged or of another version.
        """
        layout = RunLayout(find_run(base_dir, name))
        try:
            tree = json.loads(layout.plan.read_text(encoding="utf-8"))
            plan = RunPlan.model_validate(tree["plan"])
            return cls(layout, plan, tree.get("populations") or {})
        except OSError as error:
            raise ExperimentError.single(
                PATH, f"{layout.root} is no run directory: cannot read {layout.plan}: {error}"
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
            raise ExperimentError.single(
                PATH, f"{layout.plan} is damaged or of another version of this program", str(error)
            ) from error

    def hop_ticks(self) -> dict[str, int]:
        """Returns how long the drive took from device to neuron, by region."""
        return {region.name: region.drive.hop_ticks for region in self.plan.regions}

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
        rates = self._signals(RECORD, "rates", list(fed), plan)
        rows = self.plan.rows_of_rates(self.populations)
        faults, chosen = [], {}
        for region, populations in fed.items():
            had = list(rows.get(region, {}))
            unknown = [population for population in populations if population not in had]
            if unknown:
                faults.append(
                    Fault(
                        PATH,
                        f"region '{region}' had no population {', '.join(unknown)} in "
                        f"{self.layout.root}; it had: {', '.join(had) or 'none'}",
                    )
                )
            else:
                chosen[region] = rates[region][[had.index(name) for name in populations]]
        if faults:
            raise ExperimentError(faults)
        return chosen

    def _signals(
        self, edge: str, prefix: str, regions: Sequence[str], plan: RunPlan
    ) -> dict[str, Reals]:
        here, there = plan.experiment.dt_ms, self.plan.experiment.dt_ms
        if here != there:
            raise ExperimentError.single(
                PATH, f"{self.layout.root} has dt_ms {there:g}, this experiment has {here:g}"
            )
        pieces = self._pieces(edge, prefix, regions)
        faults, series = [], {}
        for region, blocks in pieces.items():
            ticks = sum(block.shape[-1] for block in blocks)
            if not blocks:
                message = f"its journal holds no {prefix} of region '{region}' (edge {edge})"
            elif ticks < plan.total_ticks:
                message = (
                    f"its journal holds {prefix} of region '{region}' for {ms_of(ticks, there):g} "
                    f"ms, this experiment lasts {ms_of(plan.total_ticks, here):g} ms"
                )
            else:
                series[region] = np.concatenate(blocks, axis=-1)
                continue
            faults.append(Fault(PATH, f"{self.layout.root}: {message}"))
        if faults:
            raise ExperimentError(faults)
        return series

    def _pieces(self, edge: str, prefix: str, regions: Sequence[str]) -> dict[str, list[Reals]]:
        """Collects the arrays of windows 0, 1, ... up to the first window that is missing."""
        pieces: dict[str, list[Reals]] = {region: [] for region in regions}
        try:
            for block in read_journal(self.layout.journal("translator", 0)):
                if block.edge != edge:
                    continue
                for region, arrays in pieces.items():
                    array = block.arrays.get(f"{prefix}/{region}")
                    if array is not None and block.window == len(arrays):
                        arrays.append(array.astype(np.float64))
        except RunDirectoryError as error:
            raise ExperimentError.single(PATH, str(error)) from error
        return pieces
