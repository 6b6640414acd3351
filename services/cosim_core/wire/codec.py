"""Messages and blocks to frames and back; pure functions, no sockets.

A control message is two frames: the tag ``b"COSIM"`` and a MessagePack map. A block is a header
(a MessagePack map that lists name, dtype and shape of every signal and a CRC-32 over the data)
and one frame of raw little-endian data. Nothing is pickled. Frames are counted, bounded and
checked before they are used.
"""

from __future__ import annotations

import zlib
from typing import Any, TypeVar

import msgpack
import numpy as np
from pydantic import TypeAdapter, ValidationError

from tvb_nest_cosim.cosim_core.errors import ProtocolError
from tvb_nest_cosim.cosim_core.model.signals import Array, Block
from tvb_nest_cosim.cosim_core.wire.protocol import (
    MESSAGES,
    VERSION,
    AnyMessage,
    Frame,
    Frames,
    Message,
)

TAG = b"COSIM"
MAX_CONTROL_BYTES = 64 * 1024 * 1024
MAX_HEADER_BYTES = 1024 * 1024
MAX_BLOCK_BYTES = 2 * 1024 * 1024 * 1024
MAX_DIMENSIONS = 8
_DTYPES = {name: np.dtype(name) for name in ("<f8", "<u2", "<u4")}
_ALIGNMENT_BYTES = 8
"""Every signal begins at a multiple of this, so that its values can be used where they are."""

_GREETINGS = ("hello", "here")
"""Kinds of message that name the version of the protocol."""

Kind = TypeVar("Kind")

_HEADER_KEYS = frozenset(
    {"kind", "version", "run", "edge", "window", "rank", "signals", "checksum"}
)


def encode_message(message: Message) -> list[Frame]:
    """Turns a control message into frames."""
    return [TAG, msgpack.packb(message.model_dump(mode="json"))]


def decode_message(frames: Frames, sender: str) -> AnyMessage:
    """Turns frames into a control message; see :func:`decode_as`."""
    return decode_as(MESSAGES, frames, sender)


def decode_as(adapter: TypeAdapter[Kind], frames: Frames, sender: str) -> Kind:
    """Turns frames into a message of one family.

    Args:
        adapter: The family.
        frames: What arrived.
        sender: Who sent it, for error messages.

    Raises:
        ProtocolError: If the frames are not a message of this version of the protocol.
    """
    if len(frames) != 2 or bytes(frames[0]) != TAG:
        raise ProtocolError(
            f"from {sender}: expected 2 frames, the first {TAG!r}; got {len(frames)} frames"
        )
    body = frames[1]
    if len(body) > MAX_CONTROL_BYTES:
        raise ProtocolError(
            f"from {sender}: a control message of {len(body)} bytes; "
            f"the limit is {MAX_CONTROL_BYTES}"
        )
    tree = _unpack(body, f"from {sender}: a control message")
    kind = tree.get("kind")
    if kind in _GREETINGS and tree.get("version") != VERSION:
        raise ProtocolError(
            f"{sender} speaks protocol version {tree.get('version')}, this orchestrator speaks "
            f"{VERSION}; install the same tvb-nest-cosim on both sides"
        )
    try:
        return adapter.validate_python(tree, strict=True)
    except ValidationError as error:
        reasons = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'message'}: {e['msg']}" for e in error.errors()
        )
        raise ProtocolError(f"from {sender}: bad message of kind {kind!r}: {reasons}") from error


def encode_block(block: Block, run: str) -> list[Frame]:
    """Turns a block into a header and its data.

    Raises:
        ProtocolError: If a signal has a dtype that the protocol does not carry.
    """
    parts: list[bytes] = []
    signals = []
    for name, array in block.arrays.items():
        if array.dtype.str not in _DTYPES:
            raise ProtocolError(
                f"{block.edge}, window {block.window}: signal {name} has dtype {array.dtype}, "
                f"the protocol carries {', '.join(_DTYPES)}"
            )
        signals.append((name, array.dtype.str, array.shape))
        # One copy into one frame costs less than a frame of its own for every signal.
        parts.append(array.tobytes())
        if odd := array.nbytes % _ALIGNMENT_BYTES:
            parts.append(bytes(_ALIGNMENT_BYTES - odd))
    data = b"".join(parts)
    header = {
        "kind": "block",
        "version": VERSION,
        "run": run,
        "edge": block.edge,
        "window": block.window,
        "rank": block.rank,
        "signals": signals,
        "checksum": zlib.crc32(data),
    }
    return [msgpack.packb(header), data]


def decode_block(frames: Frames, run: str, sender: str) -> Block:
    """Turns frames into a block whose arrays share the frames' memory.

    Args:
        frames: What arrived.
        run: Identity of this run; blocks of others are refused.
        sender: Who sent it, for error messages.

    Raises:
        ProtocolError: Naming sender, edge, window, what was got and what was expected.
    """
    if len(frames) != 2:
        raise ProtocolError(f"from {sender}: {len(frames)} frames, expected 2")
    if len(frames[0]) > MAX_HEADER_BYTES:
        raise ProtocolError(f"from {sender}: a header of {len(frames[0])} bytes is too long")
    header = _unpack(frames[0], f"from {sender}: the header of a block")
    where = f"block from {sender}, edge {header.get('edge')}, window {header.get('window')}"
    _check_header(header, run, where)
    data = frames[1]
    if len(data) > MAX_BLOCK_BYTES:
        raise ProtocolError(f"{where}: more than {MAX_BLOCK_BYTES} bytes")
    if (checksum := zlib.crc32(data)) != header["checksum"]:
        raise ProtocolError(
            f"{where}: checksum {checksum}, its header says {header['checksum']}; "
            "the data were changed on the way"
        )
    arrays = _arrays(header["signals"], data, where)
    return Block(header["edge"], header["window"], header["rank"], arrays)


def _unpack(data: Frame, what: str) -> dict[str, Any]:
    try:
        tree = msgpack.unpackb(data, raw=False, max_ext_len=0, strict_map_key=True)
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        raise ProtocolError(f"{what} is not a MessagePack map: {error}") from error
    if not isinstance(tree, dict):
        raise ProtocolError(f"{what} is {type(tree).__name__}, expected a map")
    return tree


def _check_header(header: dict[str, Any], run: str, where: str) -> None:
    """Checks by hand: this runs for every block, where a model would cost more than the rest."""
    if header.get("kind") != "block":
        raise ProtocolError(f"{where}: kind {header.get('kind')!r}, expected 'block'")
    if header.get("version") != VERSION:
        raise ProtocolError(
            f"{where}: protocol version {header.get('version')}, expected {VERSION}; "
            "install the same tvb-nest-cosim on both sides"
        )
    if header.keys() != _HEADER_KEYS:
        odd = sorted(map(str, header.keys() ^ _HEADER_KEYS))
        raise ProtocolError(f"{where}: missing or unknown header fields: {', '.join(odd)}")
    if header["run"] != run:
        raise ProtocolError(f"{where}: belongs to run {header['run']!r}, this is run {run!r}")
    numbers = (header["window"], header["rank"], header["checksum"])
    if not (
        isinstance(header["edge"], str)
        and all(type(value) is int and value >= 0 for value in numbers)
        and isinstance(header["signals"], list)
    ):
        raise ProtocolError(
            f"{where}: edge must be text, window, rank and checksum numbers, signals a list"
        )


def _arrays(signals: list[Any], data: Frame, where: str) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    begin = 0
    for signal in signals:
        name, dtype, shape, values = _described(signal, where)
        if name in arrays:
            raise ProtocolError(f"{where}: signal {name} is there twice")
        size = values * dtype.itemsize
        if begin + size > len(data):
            raise ProtocolError(
                f"{where}: signal {name} ({dtype.str}, shape {tuple(shape)}) has "
                f"{max(0, len(data) - begin)} bytes, expected {size}"
            )
        arrays[name] = np.ndarray(shape, dtype, data, begin)
        begin += size + -size % _ALIGNMENT_BYTES
    if begin != len(data):
        raise ProtocolError(f"{where}: got {len(data)} bytes of data, its header lists {begin}")
    return arrays


def _described(signal: Any, where: str) -> tuple[str, np.dtype[np.generic], list[int], int]:
    """Returns name, dtype, shape and number of values of a signal."""
    count = _count(signal[2]) if isinstance(signal, list) and len(signal) == 3 else None
    if count is None:
        raise ProtocolError(f"{where}: bad description of a signal: {str(signal)[:200]}")
    name, dtype, shape = signal
    if not isinstance(name, str) or not isinstance(dtype, str) or dtype not in _DTYPES:
        raise ProtocolError(
            f"{where}: signal {str(name)[:200]} has dtype {str(dtype)[:200]}, "
            f"expected {', '.join(_DTYPES)}"
        )
    return name, _DTYPES[dtype], shape, count


def _count(shape: Any) -> int | None:
    """Returns the number of values, or None if it is not a shape."""
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
        return None
    count = bound = 1
    for n in shape:
        if type(n) is not int or n < 0:
            return None
        count *= n
        bound *= n or 1
    # Also where there are no values: NumPy refuses what would be too large without the zero.
    return count if bound <= MAX_BLOCK_BYTES else None
