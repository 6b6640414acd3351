"""The shipped example of a user's translator, and elephant as a second opinion on our kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from translator_plans import SIZES, make_plan, populations_of

from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.cosim_core.model.experiment import Rate
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.model.signals import Array
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.translator.pipeline import Pipeline
from tvb_nest_cosim.translator.spikes_to_rates import kernel_of

DT_MS = 0.1
TICKS = 300

WITHOUT = "elephant is not installed: in a clone of tvb-nest-cosim, pip install '.[elephant]'"
kernels = pytest.importorskip("elephant.kernels", reason=WITHOUT)
units = pytest.importorskip("quantities", reason=WITHOUT)


def elephant_plan(**parameters: Any) -> RunPlan:
    rate = {"translator": "elephant", "translator_parameters": parameters}
    return make_plan(rates=[rate], ticks=TICKS)


def started(plan: RunPlan) -> Pipeline:
    pipeline = Pipeline(plan)
    pipeline.build(lambda window, arrays: None)
    pipeline.start(populations_of(plan))
    return pipeline


def spikes() -> tuple[Array, Array]:
    rng = np.random.default_rng(4)
    tick = np.sort(rng.integers(1, TICKS // 2, 400))
    return rng.integers(0, 100, 400).astype(np.uint32), tick


def block(window: Window, neuron: Array, tick: Array) -> dict[str, Array]:
    inside = (tick > window.start) & (tick <= window.stop)
    within = (tick[inside] - window.start).astype(np.uint16)
    counts = np.zeros((2, window.ticks), dtype=np.uint32)
    np.add.at(counts, ((neuron[inside] >= 80).astype(int), within - 1), 1)
    return {"counts/r0": counts, "spikes/r0/neuron": neuron[inside], "spikes/r0/tick": within}


def rates(windows: list[Window], **parameters: Any) -> Array:
    pipeline = started(elephant_plan(**parameters))
    neuron, tick = spikes()
    return np.concatenate(
        [pipeline.rates(w, [block(w, neuron, tick)])["rates/r0"] for w in windows], axis=1
    )


# elephant 1.2 and neo 0.14 still pass an argument that quantities 0.16 has deprecated.
@pytest.mark.filterwarnings("ignore:The 'copy' argument in Quantity is deprecated")
@pytest.mark.parametrize("kernel", ["AlphaKernel", "ExponentialKernel"])
def test_elephant_translator_is_exact_causal_and_conserving(kernel: str) -> None:
    whole = rates([Window(0, 0, TICKS)], kernel=kernel, sigma_ms=1.0)
    windows = [Window(k, a, b) for k, (a, b) in enumerate([(0, 1), (1, 90), (90, 97), (97, 300)])]
    assert np.array_equal(rates(windows, kernel=kernel, sigma_ms=1.0), whole)
    neuron, tick = spikes()
    for row, (inside, size) in enumerate(
        zip((neuron < 80, neuron >= 80), SIZES.values(), strict=True)
    ):
        assert not whole[row, : tick[inside][0] - 1].any()
        assert whole[row].sum() * size * DT_MS / 1000.0 == pytest.approx(inside.sum(), rel=1e-9)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"kernel": "GaussianKernel"}, "not causal"), ({"sigma_ms": 0.0}, "must be above 0")],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ExperimentError, match=r"spiking.0.rate.translator: .*" + message):
        started(elephant_plan(**parameters))


@pytest.mark.parametrize(
    ("kind", "width_ms", "make"),
    [
        ("exponential", 5.0, "ExponentialKernel"),
        ("gaussian", 4.0, "GaussianKernel"),
        ("boxcar", 6.0, "RectangularKernel"),
    ],
)
def test_built_in_kernels_agree_with_elephant(kind: str, width_ms: float, make: str) -> None:
    """Our response to one spike is elephant's kernel, sampled mid-tick, at our stated delay."""
    kernel = kernel_of(Rate.model_validate({"kind": kind, "width_ms": width_ms}), DT_MS, 100)
    counts = np.zeros((1, 600), dtype=np.int64)
    counts[0, 0] = 1
    response = kernel.smooth(kernel.initial(1), counts)[0][0] / (DT_MS / 1000.0)
    lags_ms = np.arange(600) * DT_MS
    sigma_ms = width_ms / np.sqrt(12.0) if kind == "boxcar" else width_ms
    # A boxcar of width w centred on w/2, a Gaussian on three standard deviations.
    delay_ms = {
        "exponential": -DT_MS / 2,
        "gaussian": 3 * width_ms,
        "boxcar": width_ms / 2 - DT_MS / 2,
    }
    theirs = getattr(kernels, make)(sigma=sigma_ms * units.ms)
    expected = theirs((lags_ms - delay_ms[kind]) * units.ms).rescale(units.Hz).magnitude
    # The Gaussian is cut at three standard deviations and scaled up for it: 0.27 %.
    expected[lags_ms > 24.0 + DT_MS / 2] *= kind != "gaussian"
    assert np.allclose(response, expected, rtol=4e-3, atol=1e-6 * expected.max())
