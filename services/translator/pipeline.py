"""The translation of a run, free of sockets: blocks of one window in, blocks of one window out.

TVB to NEST: coupling -> input rate of a neuron (:mod:`translator.drive_side`) -> what devices emit
(:mod:`translator.rates_to_drive`). NEST to TVB: counts -> rates (:mod:`translator.rate_side`,
:mod:`translator.spikes_to_rates`). Either side may be absent; then a stand-in speaks for it
(:mod:`translator.stand_in`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.plan import Built, Populations, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import (
    NEST_TO_TRANSLATOR,
    TRANSLATOR_TO_NEST,
    TRANSLATOR_TO_TVB,
    Array,
    KeepSignals,
)
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.translator.drive_side import DriveSide
from tvb_nest_cosim.translator.rate_side import RateSide, rate_faults
from tvb_nest_cosim.translator.stand_in import StandIn, make_stand_in
from tvb_nest_cosim.translator.user_classes import UserClass, find_user_class

Arrays = Mapping[str, Array]


class Pipeline:
    """Both directions of a run. They are independent; within each, windows come in order.

    Args:
        plan: The plan of the run.
    """

    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan
        self._keeper: _Keeper | None = None
        self._stand_in: StandIn | None = None
        self._rate_users: dict[int, UserClass] = {}
        self._drive_users: dict[int, UserClass] = {}
        self._drive_side: DriveSide | None = None
        self._rate_side: RateSide | None = None

    def build(self, record: KeepSignals) -> Built:
        """Finds users' classes and reads stand-ins.

        Args:
            record: Keeps ``input/REGION`` and ``rates/REGION`` of a window.

        Raises:
            ExperimentError: With all faults found.
        """
        plan = self._plan
        self._keeper = _Keeper(plan, record)
        faults: list[Fault] = []
        if _has_nest(plan):
            faults += rate_faults(plan)
            self._find_users(faults)
        try:
            self._stand_in = make_stand_in(plan)
        except ExperimentError as error:
            faults += error.faults
        if faults:
            raise ExperimentError(faults)
        return Built(
            versions={name: version(name) for name in ("numpy", "numba", "scipy")},
            warnings=list(self._stand_in.warnings) if self._stand_in else [],
        )

    def _find_users(self, faults: list[Fault]) -> None:
        for index, group in enumerate(self._plan.experiment.spiking):
            for part, choice, users in (
                ("rate", group.rate, self._rate_users),
                ("drive", group.drive, self._drive_users),
            ):
                if choice.translator is None:
                    continue
                path = f"spiking.{index}.{part}.translator"
                try:
                    users[index] = find_user_class(
                        choice.translator, choice.translator_parameters, path, self._plan.base_dir
                    )
                except ExperimentError as error:
                    faults += error.faults

    def start(self, populations: Populations) -> None:
        """Learns the populations that NEST has built; users' translators are made now.

        Raises:
            ExperimentError: With all faults of users' constructors.
        """
        if not _has_nest(self._plan):
            return
        faults: list[Fault] = []
        try:
            self._drive_side = DriveSide(self._plan, populations, self._drive_users)
        except ExperimentError as error:
            faults += error.faults
        try:
            self._rate_side = RateSide(self._plan, populations, self._rate_users)
        except ExperimentError as error:
            faults += error.faults
        if faults:
            raise ExperimentError(faults)

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
        if self._drive_side is None:
            raise RuntimeError("drive() before start(), or in an ensemble without NEST")
        drive, inputs = self._drive_side.translate(window, coupling)
        self._keep(window, "input", inputs)
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
        if self._rate_side is None:
            raise RuntimeError("rates() before start(), or in an ensemble without NEST")
        rates = self._rate_side.translate(window, ranks)
        self._keep(window, "rates", rates)
        return rates

    def coupling_of(self, window: Window) -> dict[str, Array]:
        """Returns ``coupling/REGION`` [tick] of the stand-in for TVB, for :meth:`drive`."""
        return self._stand_in_signals(window)

    def rates_of(self, window: Window) -> dict[str, Array]:
        """Returns ``rates/REGION`` of the stand-in for NEST.

        Returns:
            float64 [population, tick], Hz, a row per fed population of the region.
        """
        rates = self._stand_in_signals(window)
        self._keep(window, "rates", rates)
        return rates

    def _keep(self, window: Window, kind: str, arrays: Arrays) -> None:
        if self._keeper is None:
            raise RuntimeError("a window was translated before build()")
        self._keeper.keep(window, kind, arrays)

    def _stand_in_signals(self, window: Window) -> dict[str, Array]:
        if self._stand_in is None:
            raise RuntimeError("this run has no stand-in, or build() was not called")
        return self._stand_in.signals(window)


def _has_nest(plan: RunPlan) -> bool:
    return NEST_TO_TRANSLATOR in plan.edges


class _Keeper:
    """Records each window once, as soon as both directions have translated it.

    Args:
        plan: The plan of the run, which says what directions there are.
        record: Keeps the signals of a window.
    """

    def __init__(self, plan: RunPlan, record: KeepSignals) -> None:
        has_rates = NEST_TO_TRANSLATOR in plan.edges or TRANSLATOR_TO_TVB in plan.edges
        kinds = {"input": TRANSLATOR_TO_NEST in plan.edges, "rates": has_rates}
        self._kinds = {kind for kind, exists in kinds.items() if exists}
        self._waiting: dict[int, dict[str, Arrays]] = {}
        self._record = record

    def keep(self, window: Window, kind: str, arrays: Arrays) -> None:
        """Takes the signals of one direction."""
        parts = self._waiting.setdefault(window.index, {})
        parts[kind] = arrays
        if parts.keys() == self._kinds:
            del self._waiting[window.index]
            self._record(window, {name: a for part in parts.values() for name, a in part.items()})
