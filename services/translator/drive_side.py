"""From TVB's coupling to the drive of every spiking region."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault, SimulationError
from tvb_nest_cosim.cosim_core.model.plan import Populations, RegionPlan, RunPlan
from tvb_nest_cosim.cosim_core.model.signals import TVB_TO_TRANSLATOR, Array
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.translator.compiled import kernels
from tvb_nest_cosim.translator.incoming import signals_of
from tvb_nest_cosim.translator.interfaces import DriveContext
from tvb_nest_cosim.translator.noise import NoiseInOrder, OrnsteinUhlenbeck
from tvb_nest_cosim.translator.random_numbers import CounterStream
from tvb_nest_cosim.translator.rates_to_drive import BUILT_IN, DrivenRegion, DriveTranslation
from tvb_nest_cosim.translator.user_classes import UserClass
from tvb_nest_cosim.translator.user_output import GuardedDrive

Reals = npt.NDArray[np.float64]
Arrays = Mapping[str, Array]


@dataclass(frozen=True)
class _Share:
    """Rows of the input that one translation handles."""

    rows: slice
    translation: DriveTranslation


class _OneByOne:
    """A user's translator of one region, used like a built-in one of several."""

    def __init__(self, guarded: GuardedDrive) -> None:
        self._guarded = guarded

    def translate(self, window: Window, input_hz: Reals) -> dict[str, Array]:
        """See :meth:`DriveTranslation.translate`."""
        return self._guarded.translate(window, input_hz[0])


class DriveSide:
    """The direction TVB to NEST. Windows come in order, each once.

    Args:
        plan: The plan of the run.
        populations: What NEST has built.
        users: Users' classes by index of the spiking group.

    Raises:
        ExperimentError: With all faults of targets and of users' constructors.
    """

    def __init__(
        self, plan: RunPlan, populations: Populations, users: Mapping[int, UserClass]
    ) -> None:
        # Regions of a kind stand together, so that each kind is translated by one call.
        regions = sorted(plan.regions, key=lambda r: (r.group in users, r.drive.kind, r.index))
        driven: list[DrivenRegion] = []
        faults: list[Fault] = []
        for region in regions:
            try:
                driven.append(_driven(plan, region, populations[region.name]))
            except ExperimentError as error:
                faults += error.faults
        if faults:
            raise ExperimentError(dict.fromkeys(faults))
        self._couplings = [f"coupling/{region.name}" for region in regions]
        self._inputs = [f"input/{region.name}" for region in regions]
        self._shares = _shares(plan, regions, driven, populations, users)
        self._external_hz = np.array([region.drive.external_hz for region in regions], np.float64)
        self._least_hz = np.array([region.drive.least_hz for region in regions], np.float64)
        self._synapses = np.array([region.drive.synapses for region in regions], np.float64)
        self._prepare_noise(plan, regions)

    def _prepare_noise(self, plan: RunPlan, regions: Sequence[RegionPlan]) -> None:
        noises = {
            row: region.drive.noise
            for row, region in enumerate(regions)
            if region.drive.noise is not None and region.drive.noise.weight_hz > 0.0
        }
        seed = plan.experiment.seed
        self._noisy = np.array(list(noises), dtype=np.int64)
        self._no_noise = np.empty((0, 0))
        self._noise = None
        if noises:
            streams = [CounterStream(seed, regions[row].name, "noise") for row in noises]
            noise = OrnsteinUhlenbeck(list(noises.values()), streams, plan.experiment.dt_ms)
            self._noise = NoiseInOrder(noise)

    def translate(
        self, window: Window, coupling: Arrays
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Translates one window.

        Args:
            window: The ticks at which devices emit.
            coupling: ``coupling/REGION`` float64 [tick], Hz, for these ticks.

        Returns:
            The signals ``drive/REGION/...``, and ``input/REGION`` float64 [tick], Hz.

        Raises:
            ProtocolError: If a region's coupling is missing or of the wrong shape.
            SimulationError: If a coupling is not finite or a user's translator fails.
        """
        input_hz = self._input(window, coupling)
        input_hz.flags.writeable = False
        drive: dict[str, Array] = {}
        for share in self._shares:
            drive.update(share.translation.translate(window, input_hz[share.rows]))
        return drive, dict(zip(self._inputs, input_hz, strict=True))

    def _input(self, window: Window, coupling: Arrays) -> Reals:
        """Computes synapses * max(least, coupling + external + noise), float64 [region, tick]."""
        where = f"edge {TVB_TO_TRANSLATOR}, window {window.index}"
        shapes = [(window.ticks,)] * len(self._couplings)
        rows = signals_of(coupling, self._couplings, shapes, where)
        # Of equal rows this makes the same as stacking them, in half the time.
        input_hz = np.concatenate(rows, dtype=np.float64).reshape(len(rows), window.ticks)
        noise_hz = self._no_noise if self._noise is None else self._noise.of(window)
        if not kernels.total_input(
            input_hz, self._external_hz, noise_hz, self._noisy, self._least_hz, self._synapses
        ):
            row, tick = (int(i) for i in np.argwhere(~np.isfinite(rows))[0])
            raise SimulationError(
                f"{where}: {self._couplings[row]} is {rows[row][tick]} for the device tick "
                f"{window.start + 1 + tick}; TVB's model has probably left the range in which it "
                "is stable"
            )
        return input_hz


def _driven(plan: RunPlan, region: RegionPlan, sizes: Mapping[str, int]) -> DrivenRegion:
    targets = list(sizes) if region.drive.targets is None else region.drive.targets
    unknown = [target for target in targets if target not in sizes]
    if unknown:
        raise ExperimentError.single(
            f"spiking.{region.group}.drive.targets",
            f"the network has no population {', '.join(unknown)}; it has {', '.join(sizes)}",
        )
    return DrivenRegion(
        region.name,
        region.drive,
        sum(sizes[target] for target in targets),
        CounterStream(plan.experiment.seed, region.name, "drive"),
    )


def _shares(
    plan: RunPlan,
    regions: Sequence[RegionPlan],
    driven: Sequence[DrivenRegion],
    populations: Populations,
    users: Mapping[int, UserClass],
) -> list[_Share]:
    """Makes one translation per kind of drive, and one per region with a user's translator."""

    def key(row: int) -> tuple[str, str]:
        region = regions[row]
        return (region.drive.kind, region.name if region.group in users else "")

    shares: list[_Share] = []
    faults: list[Fault] = []
    for (_, name), members in itertools.groupby(range(len(regions)), key):
        numbers = list(members)
        rows = slice(numbers[0], numbers[-1] + 1)
        if not name:
            built_in = BUILT_IN[regions[rows.start].drive.kind](driven[rows], plan.experiment.dt_ms)
            shares.append(_Share(rows, built_in))
            continue
        user = users[regions[rows.start].group]
        try:
            guarded = _guarded(plan, driven[rows.start], populations[name], user)
        except ExperimentError as error:
            faults += error.faults
        else:
            shares.append(_Share(rows, _OneByOne(guarded)))
    if faults:
        raise ExperimentError(dict.fromkeys(faults))
    return shares


def _guarded(
    plan: RunPlan, region: DrivenRegion, sizes: Mapping[str, int], user: UserClass
) -> GuardedDrive:
    context = DriveContext(
        region=region.name,
        populations=dict(sizes),
        grid=plan.grid,
        uniforms=CounterStream(plan.experiment.seed, region.name, "user drive").uniforms,
        drive=region.plan,
        driven_neurons=region.neurons,
    )
    return GuardedDrive(user.name, user.make(context), context)
