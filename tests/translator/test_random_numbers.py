"""Numbers addressed by tick: the same for any window, different for any region, seed, purpose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from window_partitions import partitions

from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.translator.random_numbers import CounterStream, stream_key, uniforms_of

TICKS = 101
WHOLE = Window(0, 0, TICKS)


@pytest.mark.parametrize("per_tick", [1, 3, 4])
@given(windows=partitions(TICKS))
@settings(max_examples=15, deadline=None)
def test_words_do_not_depend_on_windows(per_tick: int, windows: list[Window]) -> None:
    whole = CounterStream(1, "rHC", "noise").words(WHOLE, per_tick)
    stream = CounterStream(1, "rHC", "noise")
    assert np.array_equal(np.concatenate([stream.words(w, per_tick) for w in windows]), whole)
    backwards = [stream.words(w, per_tick) for w in reversed(windows)]
    assert np.array_equal(np.concatenate(backwards[::-1]), whole)


def test_words_are_those_of_philox_under_the_documented_key() -> None:
    key = np.array([5, stream_key("rHC", "noise")], dtype=np.uint64)
    expected = np.random.Philox(key=key, counter=25).random_raw(3)
    assert np.array_equal(CounterStream(5, "rHC", "noise").words(Window(1, 100, 103)), expected)
    # printf 'rHC\0noise' | b2sum -l 64
    assert stream_key("rHC", "noise").to_bytes(8, "little").hex() == "c7718d923b415ece"


@pytest.mark.parametrize(
    "other", [(2, "rHC", "noise"), (1, "lHC", "noise"), (1, "rHC", "drive")], ids=str
)
def test_streams_differ(other: tuple[int, str, str]) -> None:
    words = CounterStream(1, "rHC", "noise").words(WHOLE)
    assert np.array_equal(words, CounterStream(1, "rHC", "noise").words(WHOLE))
    assert not np.isin(CounterStream(*other).words(WHOLE), words).any()


def test_uniform_numbers_stay_inside_the_open_interval() -> None:
    extremes = uniforms_of(np.array([0, 2**64 - 1], dtype=np.uint64))
    assert extremes[0] == 2.0**-53
    assert extremes[1] == 1.0 - 2.0**-53
