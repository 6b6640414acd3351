"""Frames that do not follow the protocol: a clear ProtocolError each, never anything else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from golden import frames as golden
from tvb_nest_cosim.cosim_core.errors import ProtocolError
from tvb_nest_cosim.cosim_core.model.signals import Block
from tvb_nest_cosim.cosim_core.wire import codec
from tvb_nest_cosim.cosim_core.wire.codec import (
    decode_block,
    decode_message,
    encode_block,
    encode_message,
)
from tvb_nest_cosim.cosim_core.wire.protocol import AnyMessage, Frame, Frames, Horizon

RUN = "run-1"
BLOCK = Block(
    "tvb>translator", 7, 0, {"coupling/rHC": np.arange(4.0), "coupling/lHC": np.arange(4.0)}
)
WHERE = "block from tvb-0, edge tvb>translator, window 7"


def frames_with(**changes: Any) -> list[Frame]:
    """Frames of BLOCK with changed header fields; a value of None removes the field."""
    packed, data = encode_block(BLOCK, RUN)
    header = {**msgpack.unpackb(packed), **changes}
    return [msgpack.packb({k: v for k, v in header.items() if v is not None}), data]


def signals(
    dtype: str | list[str] = "<f8", shape: Any = (4,), name: str | int = "coupling/rHC"
) -> list[list[Any]]:
    return [[name, dtype, shape], ["coupling/lHC", "<f8", [4]]]


def refusal(frames: Frames, run: str = RUN) -> str:
    with pytest.raises(ProtocolError) as caught:
        decode_block(frames, run, "tvb-0")
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"version": 1}, "protocol version 1, expected 3; install the same"),
        ({"version": "3"}, "protocol version 3, expected 3"),
        ({"kind": "spikes"}, "kind 'spikes', expected 'block'"),
        ({"kind": None}, "kind None, expected 'block'"),
        ({"run": "run-2"}, "belongs to run 'run-2', this is run 'run-1'"),
        ({"checksum": 5}, r"checksum \d+, its header says 5; the data were changed"),
        ({"rank": None}, "missing or unknown header fields: rank"),
        ({"colour": "red"}, "missing or unknown header fields: colour"),
        ({"rank": -1}, "numbers"),
        ({"rank": True}, "numbers"),
        ({"checksum": "x"}, "numbers"),
        ({"signals": {}}, "signals a list"),
        ({"signals": []}, "got 64 bytes of data, its header lists 0"),
        ({"signals": [*signals(), *signals()]}, "signal coupling/rHC is there twice"),
        ({"signals": [*signals(), ["x", "<f8", [1]]]}, r"x \(<f8, .* has 0 bytes, expected 8"),
        ({"signals": signals()[:1]}, "got 64 bytes of data, its header lists 32"),
        ({"signals": signals(dtype="<f4")}, "coupling/rHC has dtype <f4, expected <f8, <u2, <u4"),
        ({"signals": signals(dtype=">f8")}, "has dtype >f8"),
        ({"signals": signals(dtype="|O")}, r"has dtype \|O"),
        ({"signals": signals(dtype=["<f8"])}, "has dtype"),
        ({"signals": signals(dtype="<u4")}, "got 64 bytes of data, its header lists 48"),
        ({"signals": signals(shape=[5])}, r"lHC \(<f8, shape \(4,\)\) has 24 bytes, expected 32"),
        ({"signals": signals(shape=[3, 3])}, "rHC .* has 64 bytes, expected 72"),
        ({"signals": signals(shape=[-4])}, "bad description"),
        ({"signals": signals(shape=[4.0])}, "bad description"),
        ({"signals": signals(shape=["4"])}, "bad description"),
        ({"signals": signals(shape=b"\x04")}, "bad description"),
        ({"signals": signals(shape={})}, "bad description"),
        ({"signals": signals(shape=4)}, "bad description"),
        ({"signals": signals(shape=[True, 4])}, "bad description"),
        ({"signals": signals(shape=[1] * 40 + [4])}, "bad description"),
        ({"signals": signals(shape=[0, 2**63])}, "bad description"),
        ({"signals": signals(shape=[2**31, 0, 2**31, 2**31])}, "bad description"),
        ({"signals": signals(name=5)}, "signal 5"),
        ({"signals": signals(name="coupling/lHC")}, "signal coupling/lHC is there twice"),
        ({"signals": ["ab", "cd"]}, "bad description"),
        ({"signals": [["a", "<f8"], 3]}, "bad description"),
    ],
)
def test_a_bad_header_is_refused_with_sender_edge_and_window(
    changes: dict[str, Any], says: str
) -> None:
    message = refusal(frames_with(**changes))
    assert message.startswith(WHERE)
    assert re.search(says, message)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"edge": ["tvb>translator"]}, "edge ['tvb>translator'], window 7"),
        ({"edge": 5}, "edge 5, window 7"),
        ({"window": "soon"}, "edge tvb>translator, window soon"),
        ({"window": -1}, "edge tvb>translator, window -1"),
        ({"window": 1.0}, "edge tvb>translator, window 1.0"),
    ],
)
def test_bad_edges_and_windows_are_shown_as_they_came(changes: dict[str, Any], where: str) -> None:
    assert refusal(frames_with(**changes)).startswith(f"block from tvb-0, {where}")


def test_data_that_changed_on_the_way_are_refused() -> None:
    packed, data = encode_block(BLOCK, RUN)
    damaged = bytearray(data)
    damaged[3] ^= 1
    assert "the data were changed on the way" in refusal([packed, bytes(damaged)])


def test_exchanged_signals_are_refused() -> None:
    block = Block("tvb>translator", 7, 0, {"a": np.zeros(4), "b": np.ones(4)})
    packed, data = encode_block(block, RUN)
    assert "checksum" in refusal([packed, data[32:] + data[:32]])


def test_truncated_data_are_refused() -> None:
    packed, data = encode_block(BLOCK, RUN)
    assert "checksum" in refusal([packed, data[:-1]])
    assert "from tvb-0: 1 frames, expected 2" in refusal([packed])


def test_a_truncated_header_is_refused() -> None:
    packed, data = encode_block(BLOCK, RUN)
    for length in range(len(packed)):
        message = refusal([packed[:length], data])
        assert message.startswith("from tvb-0: the header of a block is")


def test_no_frames_and_too_many_frames_are_refused() -> None:
    assert refusal([]).startswith("from tvb-0: 0 frames, expected 2")
    assert "3 frames, expected 2" in refusal([*encode_block(BLOCK, RUN), b""])


def test_oversized_frames_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = encode_block(BLOCK, RUN)
    monkeypatch.setattr(codec, "MAX_BLOCK_BYTES", 63)
    assert refusal(frames).startswith(f"{WHERE}: more than 63 bytes")
    monkeypatch.setattr(codec, "MAX_HEADER_BYTES", 20)
    assert "is too long" in refusal(frames)


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", "complex128", "U3", ">f8"])
def test_we_do_not_send_what_the_protocol_does_not_carry(dtype: str) -> None:
    block = Block("tvb>translator", 7, 0, {"coupling/rHC": np.zeros(2, dtype)})
    with pytest.raises(ProtocolError, match="tvb>translator, window 7: signal coupling/rHC has d"):
        encode_block(block, RUN)


def message_refusal(frames: Frames) -> str:
    with pytest.raises(ProtocolError) as caught:
        decode_message(frames, "tvb-0")
    assert "tvb-0" in str(caught.value)
    return str(caught.value)


def body(**fields: Any) -> list[bytes]:
    return [codec.TAG, msgpack.packb(fields)]


HELLO = msgpack.unpackb(golden.read("hello")[1])


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        ([], "expected 2 frames"),
        ([b"COSIM"], "got 1 frames"),
        ([b"COSIM", b"\x80", b""], "got 3 frames"),
        ([b"HTTP/1.1", b"\x80"], "the first b'COSIM'"),
        ([b"COSIM", b""], "not a MessagePack map"),
        ([b"COSIM", b"\xc1"], "not a MessagePack map"),
        ([b"COSIM", b"\x93\x01\x02\x03"], "is list, expected a map"),
        ([b"COSIM", b"\x80\x80"], "not a MessagePack map"),
        ([b"COSIM", b"\x91" * 3000], "not a MessagePack map"),
        ([b"COSIM", msgpack.packb({1: 2})], "not a MessagePack map"),
        ([b"COSIM", msgpack.packb({"kind": msgpack.ExtType(5, b"x")})], "not a MessagePack map"),
        (body(), "bad message of kind None"),
        (body(kind="greetings"), "bad message of kind 'greetings'.*'hello'"),
        (body(kind=["hello"]), "bad message of kind"),
        (body(kind="horizon"), "horizon.until: Field required"),
        (body(kind="horizon", until=-1), "horizon.until: .*greater than or equal to 0"),
        (body(kind="horizon", until="5"), "horizon.until: .*valid integer"),
        (body(kind="horizon", until=5.0), "horizon.until: .*valid integer"),
        (body(kind="horizon", until=True), "horizon.until: .*valid integer"),
        (body(kind="horizon", until=5, colour="red"), "horizon.colour: Extra inputs"),
        (body(kind="refused", faults=[]), "refused.faults: .*at least 1"),
        (body(**{**HELLO, "version": 1}), "speaks protocol version 1, this orchestrator speaks 3"),
        (body(**{**HELLO, "version": None}), "speaks protocol version None"),
        (body(kind="hello"), "speaks protocol version None"),
        (body(**{**HELLO, "role": "gui"}), "hello.role: .*'tvb', 'nest' or 'translator'"),
        (body(**{**HELLO, "rank": -1}), "hello.rank"),
    ],
)
def test_bad_messages_are_refused_with_sender_and_reason(frames: list[bytes], says: str) -> None:
    assert re.search(says, message_refusal(frames))


def test_an_oversized_message_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "MAX_CONTROL_BYTES", 10)
    assert "the limit is 10" in message_refusal(encode_message(Horizon(until=5)))


ARRAYS = st.sampled_from(["<f8", "<u4", "<u2"]).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))
)
NAMES = st.text(min_size=1, max_size=30)
BLOCKS = st.builds(
    Block,
    edge=NAMES,
    window=st.integers(0, 2**40),
    rank=st.integers(0, 10_000),
    arrays=st.dictionaries(NAMES, ARRAYS, max_size=4),
)


@given(BLOCKS, NAMES)
def test_blocks_survive_the_way_bit_by_bit(block: Block, run: str) -> None:
    frames = [bytes(frame) for frame in encode_block(block, run)]
    got = decode_block(frames, run, "tvb-0")
    assert (got.edge, got.window, got.rank) == (block.edge, block.window, block.rank)
    assert list(got.arrays) == list(block.arrays)
    for name, array in block.arrays.items():
        assert got.arrays[name].dtype == array.dtype
        assert got.arrays[name].shape == array.shape
        assert got.arrays[name].tobytes() == array.tobytes()


def test_strided_arrays_are_sent_in_order() -> None:
    values = np.arange(12.0).reshape(3, 4)
    block = Block("translator>tvb", 0, 0, {"a": values.T, "b": values[::2, 1::2]})
    got = decode_block(encode_block(block, RUN), RUN, "translator")
    np.testing.assert_array_equal(got.arrays["a"], values.T)
    np.testing.assert_array_equal(got.arrays["b"], values[::2, 1::2])


def test_every_signal_is_aligned_and_used_where_it_is() -> None:
    block = Block("nest>translator", 0, 0, {"a": np.arange(3, dtype="<u2"), "b": np.arange(4.0)})
    packed, data = encode_block(block, RUN)
    got = decode_block([packed, data], RUN, "nest-0").arrays
    assert data == block.arrays["a"].tobytes() + b"\0\0" + block.arrays["b"].tobytes()
    assert np.shares_memory(got["b"], np.frombuffer(data, np.uint8))
    assert got["b"].flags.aligned


def only_protocol_errors(
    decode: Callable[..., Block | AnyMessage], *arguments: Frames | str
) -> None:
    try:
        decode(*arguments)
    except ProtocolError:
        return


PACKABLE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=10)
    | st.binary(max_size=10)
    | st.sampled_from(["<f8", "<u4", "hello", "block", RUN]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.just("block") | PACKABLE,
        "version": st.just(2) | PACKABLE,
        "run": st.just(RUN) | PACKABLE,
        "edge": st.just("tvb>translator") | PACKABLE,
        "window": st.integers(0, 3) | PACKABLE,
        "rank": st.just(0) | PACKABLE,
        "signals": st.lists(
            st.tuples(NAMES, st.sampled_from(["<f8", "<u2"]), st.lists(st.integers(0, 3)))
            | PACKABLE,
            max_size=3,
        )
        | PACKABLE,
        "checksum": st.just(0) | PACKABLE,
    },
).map(msgpack.packb)
FIELDS = {"kind": st.sampled_from(sorted(golden.MESSAGES)) | PACKABLE}
BODIES = st.fixed_dictionaries(
    FIELDS,
    optional={
        name: PACKABLE
        for name in ("until", "faults", "windows", "plan", "populations", "version", "cause")
    },
).map(msgpack.packb)


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_random_bytes_raise_nothing_else(frames: list[bytes]) -> None:
    only_protocol_errors(decode_block, frames, RUN, "tvb-0")
    only_protocol_errors(decode_message, frames, "tvb-0")
    only_protocol_errors(decode_message, [codec.TAG, *frames[:1]], "tvb-0")


@given(HEADERS, st.lists(st.sampled_from([b"", b"\0" * 8, b"\0" * 2]), max_size=3))
def test_random_headers_raise_nothing_else(header: bytes, buffers: list[bytes]) -> None:
    only_protocol_errors(decode_block, [header, *buffers], RUN, "tvb-0")


@given(BODIES)
def test_random_messages_raise_nothing_else(packed: bytes) -> None:
    only_protocol_errors(decode_message, [codec.TAG, packed], "tvb-0")


@given(st.sampled_from(sorted(golden.encoded())), st.data())
def test_golden_frames_with_a_flipped_bit_raise_nothing_else(
    name: str, data: st.DataObject
) -> None:
    frames = golden.read(name)
    which = data.draw(st.integers(0, len(frames) - 1))
    damaged = bytearray(frames[which] or b"\0")
    place = data.draw(st.integers(0, len(damaged) - 1))
    damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    frames[which] = bytes(damaged)
    only_protocol_errors(decode_block, frames, golden.RUN, "nest-0")
    only_protocol_errors(decode_message, frames, "nest-0")
