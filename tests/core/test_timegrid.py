"""Integer time: exact conversion, and windows that tile a run as (t, t + h]."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tvb_nest_cosim.cosim_core.model.timegrid import (
    InexactTimeError,
    TimeGrid,
    Window,
    ms_of,
    ticks_of,
)

STEPS_MS = st.sampled_from([0.1, 0.05, 0.025, 0.2, 0.5, 1.0, 0.125])
TICKS = st.integers(0, 100_000_000)
GRIDS = st.builds(
    TimeGrid,
    dt_ms=STEPS_MS,
    total_ticks=st.integers(1, 5_000),
    window_ticks=st.integers(1, 6_000),
)


@given(TICKS, STEPS_MS)
def test_ticks_survive_the_way_through_ms(ticks: int, dt_ms: float) -> None:
    assert ticks_of(ms_of(ticks, dt_ms), dt_ms) == ticks


@given(st.integers(0, 10_000_000), STEPS_MS, st.floats(0.001, 0.999))
def test_a_time_between_ticks_is_refused_with_its_neighbours(
    ticks: int, dt_ms: float, fraction: float
) -> None:
    with pytest.raises(InexactTimeError, match="nearest times on the grid are"):
        ticks_of((ticks + fraction) * dt_ms, dt_ms)


@pytest.mark.parametrize("time_ms", [-0.1, -1.0, float("-1e-3")])
def test_negative_times_are_refused(time_ms: float) -> None:
    with pytest.raises(InexactTimeError):
        ticks_of(time_ms, 0.1)


@pytest.mark.parametrize(
    ("time_ms", "dt_ms", "ticks"),
    [(0.3, 0.1, 3), (0.1 + 0.2, 0.1, 3), (1000.0, 0.1, 10_000), (0.0, 0.1, 0), (2.5, 0.125, 20)],
)
def test_decimal_numbers_are_what_they_look_like(time_ms: float, dt_ms: float, ticks: int) -> None:
    assert ticks_of(time_ms, dt_ms) == ticks


def test_the_message_names_the_nearest_times() -> None:
    with pytest.raises(InexactTimeError, match=r"0\.25 ms .* of 0\.1 ms; .* 0\.2 ms and 0\.3 ms"):
        ticks_of(0.25, 0.1)


def test_ms_read_well() -> None:
    assert ms_of(3, 0.1) == 0.3


@given(GRIDS)
def test_windows_tile_the_run(grid: TimeGrid) -> None:
    windows = list(grid.windows())
    assert len(windows) == grid.window_count
    assert windows[0].start == 0
    assert windows[-1].stop == grid.total_ticks
    assert all(a.stop == b.start for a, b in pairwise(windows))
    assert all(window.ticks == grid.window_ticks for window in windows[:-1])
    assert 1 <= windows[-1].ticks <= grid.window_ticks
    assert [window.index for window in windows] == list(range(len(windows)))
    assert sum(window.ticks for window in windows) == grid.total_ticks


@given(GRIDS)
def test_windows_sort_by_time(grid: TimeGrid) -> None:
    windows = list(grid.windows())
    assert sorted(reversed(windows)) == windows


@given(GRIDS, st.data())
def test_a_window_covers_its_last_tick_and_not_the_one_it_starts_from(
    grid: TimeGrid, data: st.DataObject
) -> None:
    window = grid.window(data.draw(st.integers(0, grid.window_count - 1)))
    assert grid.window_of_tick(window.start + 1) == window.index
    assert grid.window_of_tick(window.stop) == window.index
    if window.index > 0:
        assert grid.window_of_tick(window.start) == window.index - 1
    if window.stop < grid.total_ticks:
        assert grid.window_of_tick(window.stop + 1) == window.index + 1


def test_the_boundary_tick_by_hand() -> None:
    grid = TimeGrid(0.1, total_ticks=25, window_ticks=10)
    assert list(grid.windows()) == [Window(0, 0, 10), Window(1, 10, 20), Window(2, 20, 25)]
    assert [grid.window_of_tick(tick) for tick in (1, 10, 11, 20, 21, 25)] == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("tick", [0, 26, -1])
def test_ticks_outside_the_run_belong_to_no_window(tick: int) -> None:
    with pytest.raises(IndexError, match=r"outside 1 \.\.\. 25"):
        TimeGrid(0.1, 25, 10).window_of_tick(tick)


@pytest.mark.parametrize("index", [-1, 3])
def test_windows_outside_the_run_do_not_exist(index: int) -> None:
    with pytest.raises(IndexError, match=r"outside 0 \.\.\. 2"):
        TimeGrid(0.1, 25, 10).window(index)


@pytest.mark.parametrize(("total", "window"), [(0, 1), (1, 0), (-5, 10)])
def test_an_empty_grid_is_refused(total: int, window: int) -> None:
    with pytest.raises(ValueError, match="at least one tick"):
        TimeGrid(0.1, total, window)


def test_time_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Window(0, 0, 1).stop = 2
    with pytest.raises(FrozenInstanceError):
        TimeGrid(0.1, 1, 1).dt_ms = 0.2
