"""The mean-field side, in the words of tvb-library."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tvb_nest_cosim.cosim_core.model.experiment.base import (
    Name,
    NonNegative,
    Part,
    Positive,
    Values,
)

Engine = Literal["auto", "tvb", "compiled"]


class Parametrised(Part):
    """A class of tvb-library and the values of its attributes, as tvb-library calls them."""

    name: Name
    """Class name, e.g. ``Linear``."""
    parameters: dict[str, Values | str] = Field(default_factory=dict)
    """Attribute values; numbers become arrays where TVB wants arrays."""


class Model(Parametrised):
    """The neural mass model of every region."""

    name: Name = "ZerlautAdaptationFirstOrder"
    """Class in ``tvb.simulator.models``."""
    variables_of_interest: list[Name] | None = None
    """State variables that monitors see; none: the model's own default."""


class Noise(Parametrised):
    """Noise of a stochastic integrator."""

    name: Name = "Additive"
    """Class in ``tvb.simulator.noise``."""
    nsig: float | list[float] | dict[str, NonNegative] = 0.0
    """Dispersion; one number, one per state variable, or by name of state variable (others 0)."""
    tau_ms: NonNegative = 0.0
    """Correlation time of coloured noise; 0 is white."""


class Integrator(Part):
    """The integration scheme; its step is the experiment's ``dt_ms``."""

    name: Name = "HeunDeterministic"
    """Class in ``tvb.simulator.integrators``."""
    noise: Noise | None = None
    """Needed by stochastic schemes, refused by deterministic ones."""


class Monitor(Parametrised):
    """Something that records; the data go to ``tvb.nc`` under ``label``."""

    name: Name = "TemporalAverage"
    """Class in ``tvb.simulator.monitors``: Raw, TemporalAverage, SubSample, GlobalAverage, Bold,
    EEG, MEG, iEEG (SEEG)."""
    label: Name | None = None
    """Name in the results; default: the class name."""
    period_ms: Positive | None = None
    """Sampling period; default: the class's own."""
    sensors: str | None = None
    """EEG, MEG, SEEG: file of sensors in tvb-data or a path."""
    projection: str | None = None
    """EEG, MEG, SEEG: file of the projection matrix in tvb-data or a path; none: a homogeneous
    sphere."""
    region_mapping: str | None = None
    """EEG, MEG, SEEG: file that maps surface vertices to regions, in tvb-data or a path; goes with
    ``projection``."""

    @property
    def key(self) -> str:
        """Name of the monitor in the results."""
        return self.label or self.name


class Stimulus(Part):
    """A stimulus to regions: a spatial weight times a temporal equation of tvb-library."""

    regions: dict[Name, float]
    """Weight by region name; other regions get none."""
    equation: Parametrised
    """Class in ``tvb.datatypes.equations``; its time is in ms from the start of the run."""


class TvbSide(Part):
    """What TVB simulates."""

    model: Model = Model()
    """Neural mass model."""
    coupling: Parametrised = Parametrised(name="Linear", parameters={"a": 1.0})
    """Class in ``tvb.simulator.coupling``."""
    integrator: Integrator = Integrator()
    """Integration scheme."""
    monitors: list[Monitor] = Field(default_factory=lambda: [Monitor(period_ms=1.0)], min_length=1)
    """What is recorded."""
    stimulus: Stimulus | None = None
    """None by default."""
    initial: dict[str, float | tuple[float, float]] = Field(default_factory=dict)
    """Initial history by state variable: one value, or [low, high] of a uniform draw per region
    (constant in time); variables not named are drawn from the model's own range. That of the
    Zerlaut models reaches 100 Hz, from where a brain may lock at the highest rate: start low."""
    engine: Engine = "auto"
    """What integrates: ``tvb`` calls tvb-library tick by tick; ``compiled`` does the same in
    compiled code, bit by bit, for some models (Zerlaut, ReducedWongWang, Generic2dOscillator);
    ``auto`` is the compiled one where it applies."""
