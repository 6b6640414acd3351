"""The golden frames: what they say, how they are stored, and the only way to make them anew.

``NAME.bin`` holds the frames of one multipart message, each after its length as a little-endian
``uint32``. ``NAME.json`` says in words what the frames are. They stand for the protocol, not for
the code: they change only together with ``protocol.VERSION`` and docs/protocol.md. Then::

    PYTHONPATH=services python tests/golden/frames.py
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path

import msgpack
import numpy as np

from tvb_nest_cosim.cosim_core.model.signals import COUNT, NEURON, REAL, TICK, Block
from tvb_nest_cosim.cosim_core.participant.data_plane import OPEN
from tvb_nest_cosim.cosim_core.wire.codec import encode_block, encode_message
from tvb_nest_cosim.cosim_core.wire.protocol import (
    Abort,
    AnyMessage,
    Bye,
    Configure,
    Done,
    Failed,
    FaultReport,
    Hello,
    Horizon,
    Progress,
    Ready,
    Refused,
    Start,
    Stop,
)

FOLDER = Path(__file__).parent
RUN = "20250101-120000-example"
DIGEST = "5e" * 32

MESSAGES: dict[str, AnyMessage] = {
    "hello": Hello(version=3, run=RUN, digest=DIGEST, role="nest", rank=1, host="node7", pid=4242),
    "configure": Configure(plan={"run": RUN, "window_ticks": 10}, data_endpoint="tcp://10.0.0.1:*"),
    "ready": Ready(built={"versions": {"pyzmq": "26.2.0"}}, data_endpoint="tcp://10.0.0.1:40123"),
    "refused": Refused(
        faults=[FaultReport(path="spiking.0.regions.1", message="'rHX' is no region", detail="")]
    ),
    "start": Start(
        populations={"rHC": {"excitatory": 80, "inhibitory": 20}},
        data_endpoint="tcp://10.0.0.1:40123",
        horizon=6,
    ),
    "horizon": Horizon(until=42),
    "progress": Progress(
        windows=40,
        waiting_for="window 40 of translator>nest from translator",
        compute_s=1.5,
        wait_s=0.25,
    ),
    "stop": Stop(before=42),
    "abort": Abort(reason="tvb-0 was killed by signal 9 (SIGKILL) at window 40 of 100"),
    "done": Done(windows=42, compute_s=1.75, wait_s=0.5),
    "failed": Failed(cause="NaN in E of rHC at tick 401", detail="Traceback ..."),
    "bye": Bye(),
}


def _block(edge: str, window: int, rank: int, **arrays: np.ndarray) -> Block:
    named = {name.replace("_of_", "/"): array for name, array in arrays.items()}
    return Block(edge, window, rank, named)


BLOCKS: dict[str, Block] = {
    "block-coupling": _block(
        "tvb>translator", 3, 0,
        coupling_of_rHC=np.array([0.0, 0.5, -1.25, 4.0], REAL),
    ),
    "block-rates": _block(
        "translator>tvb", 2, 0,
        rates_of_rHC=np.array([[5.0, 5.5, 6.0], [12.0, 11.0, 10.0]], REAL),
        rates_of_lHC=np.array([[0.0, 0.125, 0.25]], REAL),
    ),
    "block-counts": _block(
        "nest>translator", 0, 1,
        counts_of_rHC=np.array([[0, 2, 1, 0], [7, 0, 0, 3]], COUNT),
    ),
    "block-spikes": _block(
        "nest>translator", 70_000, 0,
        spikes_of_rHC_of_neuron=np.array([0, 79, 99], NEURON),
        spikes_of_rHC_of_tick=np.array([1, 4, 4], TICK),
    ),
    "block-drive-poisson": _block(
        "translator>nest", 5, 0,
        drive_of_rHC_of_rate=np.array([1600.0, 1612.5], REAL),
    ),
    "block-drive-sip": _block(
        "translator>nest", 5, 0,
        drive_of_rHC_of_tick=np.array([2], TICK),
        drive_of_rHC_of_count=np.array([3], COUNT),
        drive_of_rHC_of_rate=np.array([1600.0, 1612.5], REAL),
    ),
    "block-no-spikes": _block(
        "nest>translator", 1, 0,
        spikes_of_rHC_of_neuron=np.array([], NEURON),
        spikes_of_rHC_of_tick=np.array([], TICK),
    ),
    "block-empty": _block("nest>translator", 1, 0),
}  # fmt: skip


def encoded() -> dict[str, list[bytes]]:
    """Returns every case as our codec writes it."""
    frames = {name: encode_message(message) for name, message in MESSAGES.items()}
    frames |= {name: encode_block(block, RUN) for name, block in BLOCKS.items()}
    frames["open"] = [OPEN]
    return {name: [bytes(frame) for frame in parts] for name, parts in frames.items()}


def read(name: str) -> list[bytes]:
    """Reads the frames of a stored case."""
    data, place, frames = (FOLDER / f"{name}.bin").read_bytes(), 0, []
    while place < len(data):
        (length,) = struct.unpack_from("<I", data, place)
        frames.append(data[place + 4 : place + 4 + length])
        place += 4 + length
    return frames


def _write(name: str, frames: Sequence[bytes]) -> None:
    data = b"".join(struct.pack("<I", len(frame)) + frame for frame in frames)
    (FOLDER / f"{name}.bin").write_bytes(data)
    text = json.dumps(_described(name, frames), indent=2)
    (FOLDER / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")


def _described(name: str, frames: Sequence[bytes]) -> list[dict[str, object]]:
    if name in BLOCKS:
        signals = [
            {"signal": signal, "dtype": array.dtype.str, "values": array.tolist()}
            for signal, array in BLOCKS[name].arrays.items()
        ]
        return [{"msgpack": msgpack.unpackb(frames[0])}, {"signals": signals}]
    text: list[dict[str, object]] = [{"text": frames[0].decode()}]
    return [*text, *({"msgpack": msgpack.unpackb(frame)} for frame in frames[1:])]


if __name__ == "__main__":
    for case, parts in encoded().items():
        _write(case, parts)
