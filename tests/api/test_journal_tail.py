"""A journal read while it is written: nothing twice, nothing half, and a bounded look."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.model.signals import Block
from tvb_nest_cosim.cosim_core.run_dir.journal import JournalWriter, read_journal
from tvb_nest_cosim.cosim_core.run_dir.journal_tail import JournalTail

MUCH = 1 << 24


def block(window: int, size: int = 3) -> Block:
    return Block("nest.record", window, 0, {"x": np.full(size, window, np.uint32)})


def windows(blocks: list[Block]) -> list[int]:
    assert all((b.arrays["x"] == b.window).all() for b in blocks)
    return [b.window for b in blocks]


def test_every_block_is_seen_once(tmp_path: Path) -> None:
    path = tmp_path / "j"
    tail = JournalTail(path, MUCH)
    assert tail.new() == []
    with JournalWriter(path) as journal:
        assert tail.new() == []
        journal.append(block(0))
        journal.append(block(1))
        assert windows(tail.new()) == [0, 1]
        assert tail.new() == []
        journal.append(block(2))
        assert windows(tail.new()) == [2]


def test_record_that_is_being_written_is_left_for_later(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    with JournalWriter(whole) as journal:
        for window in range(3):
            journal.append(block(window))
    data = whole.read_bytes()
    growing = tmp_path / "growing"
    tail = JournalTail(growing, MUCH)
    seen = []
    for size in range(len(data) + 1):
        growing.write_bytes(data[:size])
        seen += windows(tail.new())
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("most_bytes", [100, 150, 333, 1000])
def test_reader_far_behind_goes_on_at_a_whole_record(tmp_path: Path, most_bytes: int) -> None:
    path = tmp_path / "j"
    with JournalWriter(path) as journal:
        for window in range(200):
            journal.append(block(window))
        tail = JournalTail(path, most_bytes)
        seen = windows(tail.new())
        assert seen == list(range(200 - len(seen), 200))
        assert len(seen) * 80 < most_bytes + 80
        journal.append(block(200))
        assert windows(tail.new())[-1] == 200


def test_data_that_look_like_a_record_are_not_taken_for_one(tmp_path: Path) -> None:
    path = tmp_path / "j"
    lure = np.frombuffer(b"\x84\xa4edge" * 40, np.uint8)
    with JournalWriter(path) as journal:
        journal.append(Block("nest.record", 0, 0, {"x": lure.copy()}))
        journal.append(block(1))
    assert windows(JournalTail(path, 250).new()) == [1]


def test_nothing_is_read_beyond_damage(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with JournalWriter(path) as journal:
        for window in range(3):
            journal.append(block(window))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert windows(JournalTail(path, MUCH).new()) == windows(list(read_journal(path))) == [0, 1]


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(b"no journal at all")
    with pytest.raises(RunDirectoryError, match="is no journal"):
        JournalTail(path, MUCH).new()
