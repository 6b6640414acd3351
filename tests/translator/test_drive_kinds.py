"""From input rates to drive: every kind, in law, to the last tick, and for any window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from translator_plans import make_plan
from window_partitions import partitions

from tvb_nest_cosim.cosim_core.model.arrays import Reals
from tvb_nest_cosim.cosim_core.model.experiment.spiking import DriveKind
from tvb_nest_cosim.cosim_core.model.signals import COUNT, NEURON, REAL, TICK, Array
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.translator.rates_to_drive import BUILT_IN, DrivenRegions

DT_MS = 0.1
KINDS: list[DriveKind] = ["poisson", "mip", "sip", "trains", "current"]


def regions(kind: DriveKind, correlation: float = 0.2, only: str = "") -> DrivenRegions:
    plan = make_plan(drives=[kind] * 2, correlation=correlation, dt_ms=DT_MS, seed=5)
    neurons = {"r0": 30, "r1": 50}
    chosen = [region for region in plan.regions if only in region.name]
    return DrivenRegions.of(chosen, [neurons[r.name] for r in chosen], plan.experiment)


def absolute(pieces: Sequence[tuple[Window, Mapping[str, Array]]]) -> dict[str, Array]:
    """Joins windows; ticks become absolute."""
    joined: dict[str, list[Array]] = {}
    for window, arrays in pieces:
        for name, array in arrays.items():
            shifted = array.astype(np.int64) + window.start if name.endswith("/tick") else array
            joined.setdefault(name, []).append(shifted)
    return {name: np.concatenate(parts) for name, parts in joined.items()}


def drive(
    kind: DriveKind, input_hz: Reals, windows: Sequence[Window], correlation: float = 0.2
) -> dict[str, Array]:
    made = regions(kind, correlation)
    return absolute([(w, BUILT_IN[kind](made, w, input_hz[:, w.start : w.stop])) for w in windows])


def uniform_windows(ticks: int, length: int) -> list[Window]:
    return [Window(k, a, min(a + length, ticks)) for k, a in enumerate(range(0, ticks, length))]


def per_tick(arrays: Mapping[str, Array], region: str, ticks: int) -> npt.NDArray[np.int64]:
    counts = arrays.get(f"drive/{region}/count")
    at = arrays[f"drive/{region}/tick"].astype(np.int64) - 1
    return np.bincount(at, weights=counts, minlength=ticks).astype(np.int64)


@pytest.mark.parametrize("kind", KINDS)
@given(windows=partitions(150))
@settings(max_examples=12, deadline=None)
def test_drive_does_not_depend_on_windows(kind: DriveKind, windows: list[Window]) -> None:
    input_hz = np.random.default_rng(1).random((2, 150)) * np.array([[900.0], [20_000.0]])
    whole = drive(kind, input_hz, [Window(0, 0, 150)])
    pieces = drive(kind, input_hz, windows)
    assert pieces.keys() == whole.keys()
    for name, array in whole.items():
        assert np.array_equal(pieces[name], array), name


@pytest.mark.parametrize("kind", KINDS)
def test_signals_have_the_types_of_the_contract(kind: DriveKind) -> None:
    arrays = BUILT_IN[kind](regions(kind), Window(0, 0, 20), np.full((2, 20), 2000.0))
    dtypes = {"rate": REAL, "amplitude": REAL, "tick": TICK, "count": COUNT, "neuron": NEURON}
    for name, array in arrays.items():
        assert array.dtype == dtypes[name.rsplit("/", 1)[1]], name
        assert array.flags.c_contiguous


def test_poisson_and_current_pass_on_the_rate() -> None:
    input_hz = np.random.default_rng(2).random((2, 40)) * 1000.0
    rates = drive("poisson", input_hz, [Window(0, 0, 40)])
    currents = drive("current", input_hz, [Window(0, 0, 40)])
    for row in range(2):
        assert np.array_equal(rates[f"drive/r{row}/rate"], input_hz[row])
        assert np.array_equal(currents[f"drive/r{row}/amplitude"], 0.5 * input_hz[row])


@pytest.mark.parametrize(("kind", "expected_hz"), [("mip", 2000.0 / 0.2), ("sip", 2000.0 * 0.2)])
@pytest.mark.parametrize("length", [7, 20])
def test_common_trains_are_poisson_and_flat_across_windows(
    kind: DriveKind, expected_hz: float, length: int
) -> None:
    """Mean and Fano factor of counts, and no deficit at window edges: five standard errors."""
    ticks = 70_000
    arrays = drive(kind, np.full((2, ticks), 2000.0), uniform_windows(ticks, length))
    mean = expected_hz * DT_MS / 1000.0
    for region in ("r0", "r1"):
        counts = per_tick(arrays, region, ticks)
        assert abs(counts.mean() - mean) < 5 * np.sqrt(mean / ticks)
        fano = counts.var() / counts.mean()
        assert abs(fano - 1.0) < 5 * np.sqrt((2 + 1 / mean) / ticks)
        by_position = [counts[position::length] for position in range(length)]
        for position in by_position:
            assert abs(position.mean() - mean) < 5 * np.sqrt(mean / position.size)


def test_sip_splits_the_rate_without_loss() -> None:
    arrays = drive("sip", np.full((2, 20), 2000.0), [Window(0, 0, 20)], correlation=0.25)
    assert np.array_equal(arrays["drive/r0/rate"], np.full(20, 1500.0))


def test_sip_with_everything_shared_or_nothing() -> None:
    nothing = drive("sip", np.full((2, 500), 2000.0), [Window(0, 0, 500)], correlation=0.0)
    assert nothing["drive/r0/tick"].size == 0
    assert np.array_equal(nothing["drive/r0/rate"], np.full(500, 2000.0))
    shared = drive("sip", np.full((2, 500), 2000.0), [Window(0, 0, 500)], correlation=1.0)
    assert not shared["drive/r0/rate"].any()


def test_trains_are_independent_poisson_trains_of_every_neuron() -> None:
    ticks, rate_hz = 4000, 4000.0
    arrays = drive("trains", np.full((2, ticks), rate_hz), uniform_windows(ticks, 20))
    mean = rate_hz * DT_MS / 1000.0
    table = np.zeros((50, ticks), dtype=np.int64)
    np.add.at(table, (arrays["drive/r1/neuron"], arrays["drive/r1/tick"] - 1), 1)
    assert table.max() >= 2
    assert np.abs(table.mean(axis=1) - mean).max() < 5 * np.sqrt(mean / ticks)
    assert abs(table.var() / table.mean() - 1.0) < 5 * np.sqrt((2 + 1 / mean) / table.size)
    correlations = np.corrcoef(table)[np.triu_indices(50, 1)]
    assert abs(correlations.mean()) < 5 / np.sqrt(correlations.size * ticks)
    assert np.abs(correlations).max() < 6 / np.sqrt(ticks)
    by_position = table.reshape(50, -1, 20).mean(axis=(0, 1))
    assert np.abs(by_position - mean).max() < 5 * np.sqrt(mean / (table.size / 20))


def test_trains_in_several_pieces_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    input_hz = np.full((2, 60), 3000.0)
    at_once = drive("trains", input_hz, [Window(0, 0, 60)])
    monkeypatch.setattr("tvb_nest_cosim.translator.rates_to_drive._UNIFORMS_AT_ONCE", 200)
    for name, array in drive("trains", input_hz, [Window(0, 0, 60)]).items():
        assert np.array_equal(array, at_once[name])


@pytest.mark.parametrize("kind", KINDS)
def test_no_input_gives_no_drive(kind: DriveKind) -> None:
    for array in drive(kind, np.zeros((2, 20)), [Window(0, 0, 20)]).values():
        assert not array.any()


def test_a_region_has_the_same_numbers_whatever_stands_beside_it() -> None:
    input_hz = np.full((2, 200), 5000.0)
    both = drive("mip", input_hz, [Window(0, 0, 200)])
    alone = BUILT_IN["mip"](regions("mip", only="r1"), Window(0, 0, 200), input_hz[1:])
    assert np.array_equal(alone["drive/r1/tick"], both["drive/r1/tick"])
    assert not np.array_equal(both["drive/r0/tick"], both["drive/r1/tick"])
