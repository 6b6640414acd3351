"""The protocol byte for byte: golden frames, read by our codec and by a second reader."""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from typing import Any

import msgpack
import numpy as np
import pytest

from golden import frames as golden
from tvb_nest_cosim.cosim_core.wire import protocol
from tvb_nest_cosim.cosim_core.wire.codec import decode_block, decode_message, encode_message

NAMES = sorted(path.stem for path in golden.FOLDER.glob("*.bin"))

MESSAGE_SCHEMAS = {3: "9c5366326b2d76eceff459a5435c368e2434179465ba9119cc5e6f34791d1e63"}
"""SHA-256 of the messages' schemas by protocol version, descriptions left out."""


def without_prose(node: Any) -> Any:
    if isinstance(node, dict):
        prose = ("description", "title") if "type" in node or "$ref" in node else ()
        return {key: without_prose(value) for key, value in node.items() if key not in prose}
    return [without_prose(value) for value in node] if isinstance(node, list) else node


def test_messages_change_only_with_the_version() -> None:
    schema = without_prose(protocol.MESSAGES.json_schema())
    digest = hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()
    assert MESSAGE_SCHEMAS.get(protocol.VERSION) == digest, (
        "the messages changed: raise protocol.VERSION, say in docs/protocol.md what changed, make "
        f"the golden frames anew and note {digest} here for the new version"
    )


def test_there_is_a_golden_frame_of_everything() -> None:
    assert set(NAMES) == set(golden.encoded())
    kinds = set(protocol.MESSAGES.json_schema()["discriminator"]["mapping"])
    assert {message.kind for message in golden.MESSAGES.values()} == kinds


@pytest.mark.parametrize("name", NAMES)
def test_we_write_what_the_protocol_says(name: str) -> None:
    assert golden.encoded()[name] == golden.read(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_second_reader_reads_what_the_description_says(name: str) -> None:
    frames = golden.read(name)
    description = json.loads((golden.FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert len(frames) == len(description)
    for frame, says in zip(frames, description, strict=True):
        if "text" in says:
            assert frame == says["text"].encode()
        elif "msgpack" in says:
            assert msgpack.unpackb(frame) == says["msgpack"]
        else:
            place = 0
            for signal in says["signals"]:
                values = np.ravel(np.array(signal["values"], signal["dtype"]))
                got = np.frombuffer(frame, signal["dtype"], values.size, place)
                np.testing.assert_array_equal(got, values)
                place += math.ceil(values.nbytes / 8) * 8
            assert place == len(frame)


@pytest.mark.parametrize("name", sorted(golden.BLOCKS))
def test_a_second_reader_finds_its_way_through_a_block(name: str) -> None:
    packed, data = golden.read(name)
    header = msgpack.unpackb(packed)
    assert list(header) == [
        "kind", "version", "run", "edge", "window", "rank", "signals", "checksum",
    ]  # fmt: skip
    assert header["checksum"] == zlib.crc32(data)
    for signal, dtype, shape in header["signals"]:
        values = np.frombuffer(data, dtype, math.prod(shape)).reshape(shape)
        np.testing.assert_array_equal(values, golden.BLOCKS[name].arrays[signal])
        data = data[math.ceil(values.nbytes / 8) * 8 :]
    assert data == b""


@pytest.mark.parametrize("name", sorted(golden.MESSAGES))
def test_we_read_golden_messages(name: str) -> None:
    assert decode_message(golden.read(name), "somebody") == golden.MESSAGES[name]


@pytest.mark.parametrize("name", sorted(golden.MESSAGES))
def test_messages_survive_the_way(name: str) -> None:
    message = golden.MESSAGES[name]
    assert decode_message(encode_message(message), "somebody") == message


@pytest.mark.parametrize("name", sorted(golden.BLOCKS))
def test_we_read_golden_blocks(name: str) -> None:
    block, expected = decode_block(golden.read(name), golden.RUN, "nest-0"), golden.BLOCKS[name]
    assert (block.edge, block.window, block.rank) == (
        expected.edge,
        expected.window,
        expected.rank,
    )
    assert list(block.arrays) == list(expected.arrays)
    for signal, array in block.arrays.items():
        assert array.dtype == expected.arrays[signal].dtype
        np.testing.assert_array_equal(array, expected.arrays[signal], strict=True)
