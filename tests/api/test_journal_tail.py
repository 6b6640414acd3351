"""Journals and logs read while they are written: nothing twice or half, and a bounded look."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.model.signals import Block
from tvb_nest_cosim.cosim_core.run_dir.journal import JournalOwner, JournalWriter, read_journal
from tvb_nest_cosim.cosim_core.run_dir.journal_tail import JournalTail
from tvb_nest_cosim.cosim_core.run_dir.logs import LogTail

MUCH = 1 << 24
OWNER = JournalOwner("run", "nest", 0)


def block(window: int, size: int = 3) -> Block:
    return Block("nest.record", window, 0, {"x": np.full(size, window, np.uint32)})


def windows(blocks: list[Block]) -> list[int]:
    assert all((b.arrays["x"] == b.window).all() for b in blocks)
    return [b.window for b in blocks]


def test_every_block_is_seen_once(tmp_path: Path) -> None:
    path = tmp_path / "j"
    tail = JournalTail(path, OWNER, MUCH)
    assert tail.new() == []
    with JournalWriter(path, OWNER) as journal:
        assert tail.new() == []
        journal.append(block(0))
        journal.append(block(1))
        assert windows(tail.new()) == [0, 1]
        assert tail.new() == []
        journal.append(block(2))
        assert windows(tail.new()) == [2]


def test_record_that_is_being_written_is_left_for_later(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    with JournalWriter(whole, OWNER) as journal:
        for window in range(3):
            journal.append(block(window))
    data = whole.read_bytes()
    growing = tmp_path / "growing"
    tail = JournalTail(growing, OWNER, MUCH)
    seen = []
    for size in range(len(data) + 1):
        growing.write_bytes(data[:size])
        seen += windows(tail.new())
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("most_bytes", [100, 150, 333, 1000])
def test_reader_far_behind_goes_on_at_a_whole_record(tmp_path: Path, most_bytes: int) -> None:
    path = tmp_path / "j"
    with JournalWriter(path, OWNER) as journal:
        for window in range(200):
            journal.append(block(window))
        tail = JournalTail(path, OWNER, most_bytes)
        seen = windows(tail.new())
        assert seen == list(range(200 - len(seen), 200))
        assert len(seen) * 80 < most_bytes + 80
        journal.append(block(200))
        assert windows(tail.new())[-1] == 200


def test_data_that_look_like_a_record_are_not_taken_for_one(tmp_path: Path) -> None:
    path = tmp_path / "j"
    lure = np.frombuffer(b"\x84\xa4edge" * 40, np.uint8)
    with JournalWriter(path, OWNER) as journal:
        journal.append(Block("nest.record", 0, 0, {"x": lure.copy()}))
        journal.append(block(1))
    assert windows(JournalTail(path, OWNER, 250).new()) == [1]


def test_nothing_is_read_beyond_damage(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with JournalWriter(path, OWNER) as journal:
        for window in range(3):
            journal.append(block(window))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert (
        windows(JournalTail(path, OWNER, MUCH).new()) == windows(list(read_journal(path))) == [0, 1]
    )


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(b"no journal at all")
    with pytest.raises(RunDirectoryError, match="is not a journal"):
        JournalTail(path, OWNER, MUCH).new()


@pytest.mark.parametrize("most_bytes", [None, 1000])
def test_every_whole_line_of_a_log_is_seen_once(tmp_path: Path, most_bytes: int | None) -> None:
    path = tmp_path / "log"
    tail = LogTail(path, most_bytes)
    assert tail.new() == []
    data = "one\n\ntwo \u03bc\r\nthree".encode()
    seen = []
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        seen += tail.new()
    assert seen == [b"one", b"", "two \u03bc\r".encode()]


@pytest.mark.parametrize("most_bytes", [10, 11, 25])
def test_reader_of_a_log_that_is_far_behind_skips_to_a_whole_line(
    tmp_path: Path, most_bytes: int
) -> None:
    path = tmp_path / "log"
    lines = [f"line {number:04d}".encode() for number in range(1000)]
    path.write_bytes(b"\n".join(lines) + b"\n")
    tail = LogTail(path, most_bytes)
    seen = tail.new()
    assert seen == lines[1000 - len(seen) :]
    assert len(b"\n".join(seen)) <= most_bytes
    with path.open("ab") as file:
        file.write(b"last\n")
    assert tail.new() == [b"last"]
