"""docs/protocol.md against the code: what it lists is all there is, and its bytes are real."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from golden import frames as golden
from tvb_nest_cosim.cosim_core.errors import ProtocolError
from tvb_nest_cosim.cosim_core.model import signals
from tvb_nest_cosim.cosim_core.participant import inbox
from tvb_nest_cosim.cosim_core.run_dir import journal
from tvb_nest_cosim.cosim_core.wire import agent_protocol, codec, protocol, zmq_transport
from tvb_nest_cosim.cosim_core.wire.lifecycle import State, after

TEXT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
CLASSES = {
    message.kind: type(message) for message in golden.MESSAGES.values()
}  # one of every kind, as test_golden_frames proves


def section(heading: str) -> str:
    """Returns what stands under a heading, up to the next one of any level."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", TEXT, re.M | re.S)
    assert found, f"there is no section '{heading}'"
    return found[1]


def first_cells(text: str) -> list[str]:
    return [cell.strip() for cell in re.findall(r"^\| (.+?) \|", text, re.M)]


def test_it_is_of_the_version_that_the_code_speaks() -> None:
    assert TEXT.startswith(f"# The wire protocol, version {protocol.VERSION}\n")


def test_the_table_lists_every_message() -> None:
    listed = re.findall(r"^\| \[`(\w+)`\]", section("Control plane: messages"), re.M)
    assert sorted(listed) == sorted(CLASSES)


@pytest.mark.parametrize("kind", sorted(CLASSES))
def test_every_field_of_a_message_is_listed(kind: str) -> None:
    listed = [cell.strip("`") for cell in first_cells(section(f"`{kind}`"))[1:]]
    listed = [cell for cell in listed if not cell.startswith("--")]
    assert listed == [name for name in CLASSES[kind].model_fields if name != "kind"]


def test_fields_of_a_fault_are_listed() -> None:
    text = section("`refused`")
    assert all(f"`{name}`" in text for name in protocol.FaultReport.model_fields)


@pytest.mark.parametrize("state", State)
def test_the_table_of_states_is_the_one_of_the_code(state: State) -> None:
    (row,) = re.findall(rf"^\| `{state.value}` \| (.*) \|$", section("States"), re.M)
    for kind in CLASSES:
        if kind == "abort":
            continue
        try:
            leads_to = after(state, kind, "it").value
        except ProtocolError:
            assert f"`{kind}`" not in re.sub(r"-> `\w+`", "", row)
        else:
            assert re.search(rf"`{kind}`(, `\w+`)* -> `{leads_to}`", row)


def test_every_message_of_agents_is_listed_with_its_fields() -> None:
    rows = re.findall(r"^\| `(\w+)` \| [\w ]+ \| [\w ]+ \| (.*) \|$", section("Agents"), re.M)
    classes = get_args(agent_protocol.AgentMessage)
    expected = {c.model_fields["kind"].default: c.model_fields.keys() - {"kind"} for c in classes}
    assert {kind: set(re.findall(r"`(\w+)`", fields)) for kind, fields in rows} == expected


def documented_signals() -> dict[str, tuple[str, str]]:
    rows = re.findall(r"^\| `(\w+/.+?)` \| `(.+?)` \| (\w+) \|", section("Signals"), re.M)
    return {name: (edge, dtype) for name, edge, dtype in rows}


def test_every_signal_of_the_code_is_listed_with_its_type() -> None:
    listed = documented_signals()
    stated = re.findall(r"^``(\w+)/REGION(?:/\.\.\.)?``", signals.__doc__, re.M)
    assert {name.split("/")[0] for name in listed} == set(stated)
    kinds = {"tick": signals.TICK, "neuron": signals.NEURON, "count": signals.COUNT}
    kinds |= {"counts": signals.COUNT}
    for name, (_, dtype) in listed.items():
        parts = name.replace("/REGION", "").split("/")
        assert kinds.get(parts[-1], signals.REAL).name == dtype, name


def test_what_the_golden_blocks_hold_is_listed() -> None:
    listed = documented_signals()
    for block in golden.BLOCKS.values():
        for name, array in block.arrays.items():
            assert listed[name.replace("/rHC", "/REGION").replace("/lHC", "/REGION")] == (
                block.edge,
                array.dtype.name,
            )


def test_every_edge_is_named() -> None:
    assert all(f"`{edge}`" in section("Data plane: blocks") for edge in signals.EDGES)


def test_the_header_of_a_block_is_listed() -> None:
    cells = [cell.strip("`") for cell in first_cells(section("Data plane: blocks"))]
    assert set(cells) >= codec._HEADER_KEYS


@pytest.mark.parametrize(
    ("what", "limit"),
    [
        ("control message", f"{codec.MAX_CONTROL_BYTES} bytes"),
        ("header of a block", f"{codec.MAX_HEADER_BYTES} bytes"),
        ("data of a block, and any one frame", f"{codec.MAX_BLOCK_BYTES} bytes"),
        ("dimensions of a signal", str(codec.MAX_DIMENSIONS)),
        ("windows a sender may be ahead", str(inbox.MAX_AHEAD)),
        ("messages waiting in a socket", str(zmq_transport.HIGH_WATER_MARK)),
    ],
)
def test_limits_are_those_of_the_code(what: str, limit: str) -> None:
    assert f"| {what} | {limit} |" in section("Limits")


def test_the_magic_of_journals() -> None:
    assert f"`{journal.MAGIC.decode().strip()}\\n`" in section("Journals")


def shown_frames() -> list[tuple[str, list[str]]]:
    shown = re.findall(r"<!-- golden: (\S+) -->\n```\n(.*?)```", TEXT, re.S)
    return [(name, text.strip().split("\n\n")) for name, text in shown]


@pytest.mark.parametrize(("name", "dumps"), shown_frames())
def test_frames_shown_are_golden(name: str, dumps: list[str]) -> None:
    frames = golden.read(name)
    assert len(frames) == len(dumps)
    for frame, dump in zip(frames, dumps, strict=True):
        shown = b"".join(bytes.fromhex(line[6:53]) for line in dump.splitlines())
        assert shown == frame
        text = "".join(line[55:] for line in dump.splitlines())
        assert text == "".join(chr(b) if 32 <= b < 127 else "." for b in frame)


def test_a_message_and_a_block_are_shown() -> None:
    assert {name for name, _ in shown_frames()} == {"hello", "block-coupling"}


def test_links_lead_somewhere() -> None:
    anchors = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", TEXT, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors
