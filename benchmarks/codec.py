"""Time to turn blocks into frames and back, without a socket.

The copy out of the socket is not in it, nor is the send, which copies nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np

from benchmarks.framework import Benchmark, Once, Quantity, Setting, Values
from benchmarks.stopwatch import processor_us
from tvb_nest_cosim.cosim_core.model.signals import COUNT, NEST_TO_TRANSLATOR, REAL, Array, Block
from tvb_nest_cosim.cosim_core.wire.codec import decode_block, encode_block

RUN = "benchmark"
TIMES = 1000
BLOCKS: dict[str, dict[str, Array]] = {
    "one signal of 608 B": {"x": np.zeros(76, REAL)},
    "one signal of 21,888 B": {"x": np.zeros((36, 76), REAL)},
    "one signal of 1 MB": {"x": np.zeros(125_000, REAL)},
    "counts of 5 regions, 2 ms": {
        f"counts/region{index}": np.zeros((2, 20), COUNT) for index in range(5)
    },
}


@contextmanager
def _prepared(setting: Setting) -> Iterator[Once]:
    times = 10 if setting.is_tiny else TIMES

    def once() -> Values:
        values: dict[str, float] = {}
        for name, arrays in BLOCKS.items():
            block = Block(NEST_TO_TRANSLATOR, 7, 0, arrays)
            frames = [bytes(frame) for frame in encode_block(block, RUN)]
            encode = partial(encode_block, block, RUN)
            decode = partial(decode_block, frames, RUN, "nest-0")
            values[f"encode {name}"] = processor_us(encode, times)
            values[f"decode {name}"] = processor_us(decode, times)
        return values

    yield once


BENCHMARK = Benchmark(
    name="codec",
    text="encoding and decoding a block alone",
    quantities=tuple(
        Quantity(f"{what} {name}", f"{what}: {name}", "us")
        for name in BLOCKS
        for what in ("encode", "decode")
    ),
    prepare=_prepared,
    repeats=5,
)
