"""The translation of a run, without sockets: blocks of one window in, blocks of one window out.

One window from TVB to NEST, ``Pipeline.drive``::

    coupling/REGION [tick]
      |  RegionGroup.drive    region_group.py      the regions of a group become rows
      |  InputRate.of         input_rate.py        + external input + noise, times synapses
      v
    input/REGION [tick], recorded
      |  BUILT_IN[kind]       rates_to_drive.py    with poisson.py and random_numbers.py
      |  or CheckedDrive      user_output.py       a user's class, its output checked
      v
    drive/REGION/...

One window from NEST to TVB, ``Pipeline.rates``::

    counts/REGION [population, tick] of every rank, spikes/REGION/... if a user's class needs them
      |  RegionGroup.rates    region_group.py      the ranks are summed
      |  Kernel.smooth        spikes_to_rates.py   a causal kernel, then Hz per neuron
      |  or CheckedRate       user_output.py       a user's class, its output checked
      v
    rates/REGION [population, tick], recorded

There is one ``RegionGroup`` per entry of ``experiment.spiking``. Loops over ticks are compiled
(``compiled/``). ``stand_in.py`` replaces a simulator that is absent, from ``series_file.py`` or
``recorded_run.py``. Users' classes follow ``interfaces.py``, are found by ``user_classes.py``, and
``elephant_rates.py`` is one. The sockets are in ``cosim_core/participant/translator_loop.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import version

from tvb_nest_cosim.cosim_core.errors import ExperimentError, all_faults
from tvb_nest_cosim.cosim_core.model.arrays import Array, Arrays
from tvb_nest_cosim.cosim_core.model.experiment.spiking import Rate
from tvb_nest_cosim.cosim_core.model.plan import Built, Populations, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import (
    NEST_TO_TRANSLATOR,
    TRANSLATOR_TO_NEST,
    KeepSignals,
)
from tvb_nest_cosim.cosim_core.model.timegrid import InexactTimeError, Window
from tvb_nest_cosim.translator.region_group import RegionGroup
from tvb_nest_cosim.translator.spikes_to_rates import kernel_of
from tvb_nest_cosim.translator.stand_in import StandIn, make_stand_in
from tvb_nest_cosim.translator.user_classes import UserClass, find_user_class


class Pipeline:
    """Both directions of a run. They are independent; within each, windows come in order.

    Args:
        plan: The plan of the run.
    """

    _record: KeepSignals
    _stand_in: StandIn

    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan
        self._has_nest = NEST_TO_TRANSLATOR in plan.edges
        self._rate_classes: dict[int, UserClass] = {}
        self._drive_classes: dict[int, UserClass] = {}
        self._groups: list[RegionGroup] = []
        self._half_done: dict[int, Arrays] = {}

    def build(self, record: KeepSignals) -> Built:
        """Finds users' classes and reads stand-ins.

        Args:
            record: Keeps ``input/REGION`` and ``rates/REGION`` of a window.

        Raises:
            ExperimentError: With all faults found.
        """
        self._record = record
        with all_faults() as attempt:
            if self._has_nest:
                self._check_groups(attempt)
            with attempt():
                self._stand_in = make_stand_in(self._plan)
        return Built(
            versions={name: version(name) for name in ("numpy", "numba", "scipy")},
            warnings=list(self._stand_in.warnings),
        )

    def _check_groups(self, attempt: Callable[[], AbstractContextManager[None]]) -> None:
        for index, group in enumerate(self._plan.experiment.spiking):
            if group.rate.translator is None:
                with attempt():
                    _check_kernel(index, group.rate, self._plan.experiment.dt_ms)
            for part, choice, classes in (
                ("rate", group.rate, self._rate_classes),
                ("drive", group.drive, self._drive_classes),
            ):
                if choice.translator is not None:
                    path = f"spiking.{index}.{part}.translator"
                    with attempt():
                        classes[index] = find_user_class(
                            choice.translator,
                            choice.translator_parameters,
                            path,
                            self._plan.base_dir,
                        )

    def start(self, populations: Populations) -> None:
        """Makes the translation of every group, with users' objects.

        Args:
            populations: Number of neurons by region and population, as NEST has built them.

        Raises:
            ExperimentError: With all faults of targets and of users' constructors.
        """
        if not self._has_nest:
            return
        with all_faults() as attempt:
            for index in sorted({region.group for region in self._plan.regions}):
                with attempt():
                    self._groups.append(
                        RegionGroup(
                            self._plan,
                            index,
                            populations,
                            self._rate_classes.get(index),
                            self._drive_classes.get(index),
                        )
                    )

    def drive(self, window: Window, coupling: Arrays) -> dict[str, Array]:
        """Turns TVB's coupling into drive.

        Args:
            window: The ticks at which devices emit.
            coupling: ``coupling/REGION`` float64 [tick], Hz; acts ``hop_ticks`` later.

        Returns:
            ``drive/REGION/...`` of all regions, as :mod:`cosim_core.model.signals` lists them.

        Raises:
            ProtocolError: If a signal is missing or of the wrong shape.
            SimulationError: If a coupling is not finite or a user's translator fails.
        """
        drive: dict[str, Array] = {}
        inputs: dict[str, Array] = {}
        for group in self._groups:
            emitted, input_hz = group.drive(window, coupling)
            drive |= emitted
            inputs |= input_hz
        self._keep(window, inputs)
        return drive

    def rates(self, window: Window, ranks: Sequence[Arrays]) -> dict[str, Array]:
        """Turns what NEST's ranks counted into rates.

        Args:
            window: The ticks of the spikes.
            ranks: ``counts/REGION`` and perhaps ``spikes/REGION/...`` of every rank.

        Returns:
            ``rates/REGION`` float64 [population, tick], Hz, all populations in order.

        Raises:
            ProtocolError: If a signal is missing or of the wrong shape.
            SimulationError: If a user's translator fails.
        """
        rates: dict[str, Array] = {}
        for group in self._groups:
            rates |= group.rates(window, ranks)
        self._keep(window, rates)
        return rates

    def coupling_of(self, window: Window) -> dict[str, Array]:
        """Returns ``coupling/REGION`` [tick] of the stand-in for TVB, for :meth:`drive`."""
        return self._stand_in.signals(window)

    def rates_of(self, window: Window) -> dict[str, Array]:
        """Returns ``rates/REGION`` of the stand-in for NEST.

        Returns:
            float64 [population, tick], Hz, a row per fed population of the region.
        """
        rates = self._stand_in.signals(window)
        self._keep(window, rates)
        return rates

    def _keep(self, window: Window, arrays: Arrays) -> None:
        """Records a window once, when every direction of the run has translated it."""
        other = self._half_done.pop(window.index, None)
        if other is None and TRANSLATOR_TO_NEST in self._plan.edges:
            self._half_done[window.index] = arrays
        else:
            self._record(window, {**(other or {}), **arrays})


def _check_kernel(index: int, rate: Rate, dt_ms: float) -> None:
    try:
        kernel_of(rate, dt_ms, 1)
    except InexactTimeError as error:
        raise ExperimentError.single(f"spiking.{index}.rate.width_ms", str(error)) from error
