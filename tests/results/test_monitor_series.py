"""What summary and report make of the monitors of TVB: units, order, sensors."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from tvb_nest_cosim.cosim_core.model.experiment import Experiment
from tvb_nest_cosim.cosim_core.results import first_series
from tvb_nest_cosim.orchestrator.report.figures.sensors import MAX_CHANNELS, draw_sensors


def run_with(model: str, *monitors: str, nodes: int = 3) -> SimpleNamespace:
    """A run whose monitors all read 0.005 but for a ramp of the last sensor."""
    tvb = {"model": {"name": model}, "monitors": [{"name": name} for name in monitors]}
    tables = {}
    for name in monitors:
        node = "sensor_EEG" if name == "EEG" else "region"
        values = np.full((4, 1, nodes), 0.005)
        if name == "EEG":
            values[:, 0, -1] += [0.0, 1.0, 2.0, 3.0]
        tables[name] = xr.DataArray(
            values,
            dims=(f"time_{name}", f"variable_{name}", node),
            coords={
                f"time_{name}": np.arange(4.0),
                f"variable_{name}": ["E"],
                node: [f"{node}{index}" for index in range(nodes)],
            },
        )
    return SimpleNamespace(
        has=lambda name: name == "tvb",
        tvb=xr.Dataset(tables),
        experiment=Experiment.model_validate({"tvb": tvb}),
        records=SimpleNamespace(simulated_ms=4.0),
    )


@pytest.mark.parametrize(
    ("model", "monitors", "name", "unit", "value"),
    [
        ("ZerlautAdaptationFirstOrder", ["TemporalAverage"], "TemporalAverage", "Hz", 5.0),
        ("ZerlautAdaptationFirstOrder", ["Bold"], "Bold", "", 0.005),
        ("ZerlautAdaptationFirstOrder", ["Bold", "EEG", "Raw"], "Raw", "Hz", 5.0),
        ("WilsonCowan", ["TemporalAverage"], "TemporalAverage", "", 0.005),
    ],
)
def test_only_rates_of_the_mean_field_are_in_hz(
    model: str, monitors: list[str], name: str, unit: str, value: float
) -> None:
    series = first_series(run_with(model, *monitors))
    assert (series.name, series.attrs["variable"], series.attrs["units"]) == (name, "E", unit)
    assert series.dims == (f"time_{name}", "region")
    np.testing.assert_allclose(series.values, value)


def test_sensors_are_drawn_by_name_without_their_mean() -> None:
    (drawn,) = draw_sensors(run_with("WilsonCowan", "Raw", "EEG", nodes=40))
    assert drawn.name == "sensors-EEG"
    assert drawn.caption.startswith(f"{MAX_CHANNELS} of 40 channels")
    assert "1.5 apart" in drawn.caption
    (axes,) = drawn.figure.axes
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert (names[0], names[-1]) == ("sensor_EEG0", "sensor_EEG39")
    np.testing.assert_allclose(axes.lines[0].get_ydata(), 0.0)
    np.testing.assert_allclose(
        axes.lines[-1].get_ydata() + MAX_CHANNELS - 1, [-1, -1 / 3, 1 / 3, 1]
    )


def test_runs_without_sensors_have_no_such_figure() -> None:
    assert not list(draw_sensors(run_with("WilsonCowan", "Raw")))
