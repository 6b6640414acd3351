"""Random numbers by address: each tick of a region owns a fixed block of words of a stream.

A stream is NumPy's Philox 4x64 (Salmon et al. 2011, SC '11) under the key (seed, hash of region
and purpose). Word n of the stream is a pure function of the key and n, and tick s owns the words
(s - 1) * per_tick ... s * per_tick - 1. So the numbers of a tick depend neither on the window
that asks for them nor on any other region.
"""

from __future__ import annotations

import hashlib

import numpy as np

from tvb_nest_cosim.cosim_core.model.arrays import Reals, Words
from tvb_nest_cosim.cosim_core.model.timegrid import Window

_WORDS_PER_COUNTER = 4
_DROPPED_BITS = np.uint64(12)


def stream_key(region: str, purpose: str) -> int:
    """Hashes what a stream is for to 64 bits, the same on every machine and in every process."""
    digest = hashlib.blake2b(f"{region}\0{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def uniforms_of(words: Words) -> Reals:
    """Turns words into uniform numbers, strictly between 0 and 1.

    The upper 52 bits number the middles of 2**52 equal intervals, each exact in float64.
    """
    numbers = (words >> _DROPPED_BITS).astype(np.float64)
    return (numbers + 0.5) * 2.0**-52


class CounterStream:
    """The words of one region for one purpose.

    Args:
        seed: Seed of the experiment.
        region: Region name.
        purpose: What the numbers are for, e.g. ``noise``.
    """

    def __init__(self, seed: int, region: str, purpose: str) -> None:
        self._key = np.array([seed, stream_key(region, purpose)], dtype=np.uint64)
        self._generator = np.random.Philox(key=self._key)
        self._next = 0

    def words(self, window: Window, per_tick: int = 1) -> Words:
        """Returns the words that the ticks of a window own.

        If the generator is already at the window's first word, it is read on: that is faster than
        setting its counter, with the same words.

        Args:
            window: The ticks.
            per_tick: Words per tick; the same in every call of a stream.

        Returns:
            uint64 [tick * per_tick], tick by tick.
        """
        first, count = window.start * per_tick, window.ticks * per_tick
        if first != self._next:
            counter, skipped = divmod(first, _WORDS_PER_COUNTER)
            self._generator = np.random.Philox(key=self._key, counter=counter)
            self._generator.random_raw(skipped)
        self._next = first + count
        words: Words = self._generator.random_raw(count)
        return words

    def uniforms(self, window: Window, per_tick: int = 1) -> Reals:
        """Returns uniform numbers in (0, 1) for the ticks of a window.

        Returns:
            float64 [tick, per_tick].
        """
        return uniforms_of(self.words(window, per_tick)).reshape(window.ticks, per_tick)
