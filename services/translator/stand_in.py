"""Replaces an absent simulator: by a constant, a file, or the journal of an earlier run.

Time of a series: the value at tick s is what TVB would use in the step that ends at tick s, so a
file's value at ``time_ms`` t first holds in tick t / dt + 1. Coupling acts ``hop_ticks`` after the
devices emit (see :mod:`cosim_core.model.plan`); a stand-in for TVB therefore reads its series that
much later than the ticks of the window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tvb_nest_cosim.cosim_core.model.arrays import Array, Integers, Reals
from tvb_nest_cosim.cosim_core.model.experiment.tree import Constant, File
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.translator.recorded_run import RecordedRun
from tvb_nest_cosim.translator.series_file import read_series


@dataclass(frozen=True)
class Series:
    """One signal of a stand-in: values that change at some ticks and hold in between.

    Attributes:
        signal: Its name, ``coupling/REGION`` or ``rates/REGION``.
        first_ticks: Ticks at which values begin to hold, int64 [step], ascending; before the
            first one its value holds, too.
        values: Those values in Hz, float64 [step] or [population, step].
        later_ticks: How much later than a window's ticks the series is read.
    """

    signal: str
    first_ticks: Integers
    values: Reals
    later_ticks: int = 0

    def at(self, ticks: Integers) -> Reals:
        """Returns the values at ticks of a window, float64 [tick] or [population, tick]."""
        step = np.searchsorted(self.first_ticks, ticks + self.later_ticks, side="right") - 1
        held: Reals = np.take(self.values, np.maximum(step, 0), axis=-1)
        return held


class StandIn:
    """The signals of an absent simulator, window by window.

    Args:
        series: One per region; none if both simulators are there.
        warnings: Differences from a run with that simulator.
    """

    def __init__(self, series: Sequence[Series] = (), warnings: Sequence[str] = ()) -> None:
        self._series = tuple(series)
        self.warnings = tuple(warnings)

    def signals(self, window: Window) -> dict[str, Array]:
        """Returns the signals that the absent simulator would have sent for a window."""
        ticks = np.arange(window.start + 1, window.stop + 1)
        return {series.signal: series.at(ticks) for series in self._series}


def make_stand_in(plan: RunPlan) -> StandIn:
    """Makes the stand-in that a plan asks for; one without signals if it asks for none.

    With ``simulators: nest`` it gives ``coupling/REGION`` [tick], with ``simulators: tvb``
    ``rates/REGION`` [population, tick] with one row per fed population of the region.

    Raises:
        ExperimentError: With all faults found.
    """
    choice = plan.experiment.stand_in
    if choice is None:
        return StandIn()
    lacks_tvb = plan.experiment.simulators == "nest"
    names = [region.name for region in plan.regions]
    if isinstance(choice, Constant):
        rates = choice.hz if isinstance(choice.hz, dict) else dict.fromkeys(names, choice.hz)
        first_ticks = np.ones(1, dtype=np.int64)
        hz = {name: np.array([rates.get(name, 0.0)]) for name in names}
    elif isinstance(choice, File):
        file = read_series(plan.base_dir, choice.path, names, plan.experiment.dt_ms)
        first_ticks, hz = file.first_ticks, file.hz
    else:
        run = RecordedRun.open(plan.base_dir, choice.run)
        return _earlier_coupling(plan, run) if lacks_tvb else _earlier_rates(plan, run)
    if lacks_tvb:
        return StandIn(
            [
                Series(
                    f"coupling/{region.name}", first_ticks, hz[region.name], region.drive.hop_ticks
                )
                for region in plan.regions
            ]
        )
    return StandIn(
        [
            Series(
                f"rates/{region.name}",
                first_ticks,
                np.tile(hz[region.name], (len(region.fed_populations), 1)),
            )
            for region in plan.regions
        ]
    )


def _earlier_coupling(plan: RunPlan, run: RecordedRun) -> StandIn:
    """Reads coupling by emission tick; other hops than then move it to the same acting tick."""
    values = run.coupling([region.name for region in plan.regions], plan)
    hops = run.hop_ticks()
    series, warnings = [], []
    for region in plan.regions:
        hz, later = values[region.name], region.drive.hop_ticks - hops[region.name]
        series.append(Series(f"coupling/{region.name}", _every_tick(hz), hz, later))
        if later:
            warnings.append(
                f"the drive of region '{region.name}' takes {region.drive.hop_ticks} ticks from "
                f"device to neuron, {hops[region.name]} in the earlier run: its coupling acts at "
                f"the same ticks as then, but {abs(later)} at an end of the run are filled in with "
                "the nearest value"
            )
    return StandIn(series, warnings)


def _earlier_rates(plan: RunPlan, run: RecordedRun) -> StandIn:
    fed = {region.name: region.fed_populations for region in plan.regions}
    return StandIn(
        [Series(f"rates/{name}", _every_tick(hz), hz) for name, hz in run.rates(fed, plan).items()]
    )


def _every_tick(values: Reals) -> Integers:
    return np.arange(1, values.shape[-1] + 1)
