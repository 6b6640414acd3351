"""What replaces the absent side: a constant, a file, or the journal of an earlier run.

Time of a series: the value at tick s is what TVB would use in the step that ends at tick s, so a
file's value at ``time_ms`` t first holds in tick t / dt + 1. Coupling acts ``hop_ticks`` after the
devices emit (see :mod:`cosim_core.model.plan`); a stand-in for TVB therefore reads its series that
much later than the ticks of the window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tvb_nest_cosim.cosim_core.model.experiment.tree import Constant, File
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.model.signals import Array
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.translator.earlier_run import EarlierRun
from tvb_nest_cosim.translator.series_file import read_series

Reals = npt.NDArray[np.float64]
Ticks = npt.NDArray[np.int64]


class Series(Protocol):
    """Values by tick."""

    def at(self, ticks: Ticks) -> Reals:
        """Returns the values at ticks, float64 [..., tick]."""


@dataclass(frozen=True)
class Steps:
    """A function that jumps at some ticks and holds in between.

    Attributes:
        first_ticks: Ticks at which values begin to hold, ascending, the first one 1.
        values: Those values, float64.
    """

    first_ticks: Ticks
    values: Reals

    def at(self, ticks: Ticks) -> Reals:
        """See :meth:`Series.at`."""
        held: Reals = self.values[np.searchsorted(self.first_ticks, ticks, side="right") - 1]
        return held


@dataclass(frozen=True)
class Samples:
    """A value for every tick from 1 on; before and after, the nearest one.

    Attributes:
        values: float64 [..., tick].
    """

    values: Reals

    def at(self, ticks: Ticks) -> Reals:
        """See :meth:`Series.at`."""
        samples: Reals = self.values[..., np.clip(ticks - 1, 0, self.values.shape[-1] - 1)]
        return samples


@dataclass(frozen=True)
class Channel:
    """One signal of a stand-in.

    Attributes:
        signal: Its name, ``coupling/REGION`` or ``rates/REGION``.
        series: Its values.
        later_ticks: How much later than a window's ticks the series is read.
        rows: Number of equal rows that are made of a one-dimensional series; None: it stays.
    """

    signal: str
    series: Series
    later_ticks: int = 0
    rows: int | None = None


class StandIn:
    """The signals of an absent side, window by window.

    Args:
        channels: One per region.
        warnings: What differs from a run with that side.
    """

    def __init__(self, channels: Sequence[Channel], warnings: Sequence[str] = ()) -> None:
        self._channels = tuple(channels)
        self.warnings = tuple(warnings)

    def signals(self, window: Window) -> dict[str, Array]:
        """Returns what the absent side would have sent for a window."""
        ticks = np.arange(window.start + 1, window.stop + 1)
        arrays: dict[str, Array] = {}
        for channel in self._channels:
            values = channel.series.at(ticks + channel.later_ticks)
            if channel.rows is not None:
                values = np.tile(values, (channel.rows, 1))
            arrays[channel.signal] = values
        return arrays


def make_stand_in(plan: RunPlan) -> StandIn | None:
    """Makes the stand-in that a plan asks for, if any.

    With ``simulators: nest`` it gives ``coupling/REGION`` [tick], with ``simulators: tvb``
    ``rates/REGION`` [population, tick] with one row per fed population of the region.

    Raises:
        ExperimentError: With all faults found.
    """
    choice = plan.experiment.stand_in
    if choice is None:
        return None
    if isinstance(choice, Constant):
        by_region = _constants(plan, choice)
    elif isinstance(choice, File):
        names = [region.name for region in plan.regions]
        columns = read_series(plan.base_dir, choice.path, names, plan.experiment.dt_ms)
        by_region = {name: Steps(columns.first_ticks, columns.hz[name]) for name in names}
    else:
        run = EarlierRun.open(plan.base_dir, choice.run)
        return _replayed_coupling(plan, run) if _lacks_tvb(plan) else _replayed_rates(plan, run)
    if _lacks_tvb(plan):
        return StandIn(
            [
                Channel(f"coupling/{region.name}", by_region[region.name], region.drive.hop_ticks)
                for region in plan.regions
            ]
        )
    return StandIn(
        [
            Channel(
                f"rates/{region.name}", by_region[region.name], rows=len(region.fed_populations)
            )
            for region in plan.regions
        ]
    )


def _lacks_tvb(plan: RunPlan) -> bool:
    return plan.experiment.simulators == "nest"


def _constants(plan: RunPlan, choice: Constant) -> dict[str, Steps]:
    names = [region.name for region in plan.regions]
    rates = choice.hz if isinstance(choice.hz, dict) else dict.fromkeys(names, choice.hz)
    start = np.ones(1, dtype=np.int64)
    return {name: Steps(start, np.array([rates.get(name, 0.0)])) for name in names}


def _replayed_coupling(plan: RunPlan, run: EarlierRun) -> StandIn:
    """Reads coupling by emission tick; other hops than then move it to the same acting tick."""
    names = [region.name for region in plan.regions]
    values = run.coupling(names, plan)
    hops = run.hop_ticks()
    channels, warnings = [], []
    for region in plan.regions:
        later = region.drive.hop_ticks - hops[region.name]
        channels.append(Channel(f"coupling/{region.name}", Samples(values[region.name]), later))
        if later:
            warnings.append(
                f"the drive of region '{region.name}' takes {region.drive.hop_ticks} ticks from "
                f"device to neuron, {hops[region.name]} in the earlier run: its coupling acts at "
                f"the same ticks as then, but {abs(later)} at an end of the run are filled in with "
                "the nearest value"
            )
    return StandIn(channels, warnings)


def _replayed_rates(plan: RunPlan, run: EarlierRun) -> StandIn:
    fed = {region.name: region.fed_populations for region in plan.regions}
    values = run.rates(fed, plan)
    return StandIn([Channel(f"rates/{name}", Samples(values[name])) for name in fed])
