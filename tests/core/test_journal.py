"""Journals: what was written before a crash is read; what is damaged is not."""

from __future__ import annotations

import struct
import threading
import zlib
from io import FileIO
from pathlib import Path
from typing import Any, Never

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.model.signals import Block
from tvb_nest_cosim.cosim_core.model.timegrid import Window
from tvb_nest_cosim.cosim_core.run_dir.journal import (
    MAGIC,
    JournalOwner,
    JournalWriter,
    read_journal,
    record_of,
    where_it_ends,
)
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.recorder import PHASES, Recorder, phases_of

OWNER = JournalOwner("run", "nest", 0)


def blocks(count: int = 3) -> list[Block]:
    return [
        Block(
            "nest>translator",
            window,
            window % 2,
            {
                "counts/rHC": np.arange(window * 2, dtype="<u4").reshape(2, window),
                "coupling/lHC": np.full(3, window / 7),
            },
        )
        for window in range(count)
    ]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "nest-0.journal"
    with JournalWriter(path, OWNER) as writer:
        for block in blocks():
            writer.append(block)
    return path


def assert_equal(got: list[Block], expected: list[Block]) -> None:
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        assert (one.edge, one.window, one.rank) == (other.edge, other.window, other.rank)
        assert list(one.arrays) == list(other.arrays)
        for name, array in one.arrays.items():
            assert array.dtype == other.arrays[name].dtype
            np.testing.assert_array_equal(array, other.arrays[name], strict=True)


def records(path: Path) -> list[tuple[int, int, bytes]]:
    """Splits a journal with another reader: (start, stop, body) of the head and every record."""
    data = path.read_bytes()
    assert data[:8] == b"COSIMJ2\n"
    place, found, seed = 8, [], zlib.crc32(data[:8])
    while place < len(data):
        length, checksum = struct.unpack_from("<II", data, place)
        body = data[place + 8 : place + 8 + length]
        assert zlib.crc32(data[place : place + 4] + body, seed) == checksum
        if not found:
            seed = checksum
        found.append((place, place + 8 + length, body))
        place += 8 + length
    return found


def test_what_is_written_is_read(journal: Path) -> None:
    assert_equal(list(read_journal(journal)), blocks())


def test_the_format_is_as_described(journal: Path) -> None:
    head, *bodies = [msgpack.unpackb(body) for _, _, body in records(journal)]
    assert len(head.pop("nonce")) == 16
    assert head == {"run": "run", "role": "nest", "rank": 0}
    assert [list(body) for body in bodies] == [["edge", "window", "rank", "signals"]] * 3
    (name, dtype, shape, data), other = bodies[2]["signals"]
    assert (name, dtype, shape) == ("counts/rHC", "<u4", [2, 2])
    np.testing.assert_array_equal(np.frombuffer(data, "<u4"), [0, 1, 2, 3])
    assert other[0] == "coupling/lHC"


def test_every_block_is_handed_to_the_system_at_once(tmp_path: Path) -> None:
    path = tmp_path / "nest-0.journal"
    with JournalWriter(path, OWNER) as writer:
        for number, block in enumerate(blocks(), start=1):
            writer.append(block)
            assert len(list(read_journal(path))) == number


def test_a_cut_anywhere_in_the_last_record_leaves_the_blocks_before_it(journal: Path) -> None:
    start, stop, _ = records(journal)[-1]
    whole = journal.read_bytes()
    for length in range(start, stop):
        journal.write_bytes(whole[:length])
        assert_equal(list(read_journal(journal)), blocks(2))


def test_a_flipped_bit_ends_the_reading_before_its_record(journal: Path) -> None:
    start, stop, _ = records(journal)[2]
    whole = journal.read_bytes()
    for place in range(start, stop):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        journal.write_bytes(damaged)
        assert_equal(list(read_journal(journal)), blocks(1))


def test_a_journal_may_be_empty(tmp_path: Path) -> None:
    JournalWriter(tmp_path / "empty.journal", OWNER).close()
    assert list(read_journal(tmp_path / "empty.journal")) == []


@pytest.mark.parametrize("content", [b"PK\x03\x04 and more", b"COSIMJ3\nx", b"nest"])
def test_other_files_are_no_journals(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.journal"
    path.write_bytes(content)
    with pytest.raises(RunDirectoryError, match=r"is not a journal: .*it does not begin with"):
        list(read_journal(path))


def test_a_journal_of_another_version_is_refused_as_such(tmp_path: Path) -> None:
    path = tmp_path / "old.journal"
    path.write_bytes(b"COSIMJ1\n\x05\0\0\0")
    with pytest.raises(RunDirectoryError, match="made by another version of tvb-nest-cosim"):
        list(read_journal(path))


@pytest.mark.parametrize("zeros", [1, 8, 13, 4096])
def test_zeros_at_the_end_are_the_end(journal: Path, zeros: int) -> None:
    """A power cut may leave a file longer than what of it reached the disk."""
    with journal.open("ab") as file:
        file.write(bytes(zeros))
    assert_equal(list(read_journal(journal)), blocks())


def test_zeros_or_a_cut_anywhere_leave_the_blocks_before_them(journal: Path) -> None:
    whole, ends = journal.read_bytes(), [stop for _, stop, _ in records(journal)[1:]]
    for length in range(len(whole)):
        for rest in (b"", bytes(len(whole) - length)):
            journal.write_bytes(data := whole[:length] + rest)
            intact = sum(data[:stop] == whole[:stop] for stop in ends)
            assert_equal(list(read_journal(journal)), blocks(intact))


def test_records_of_another_journal_are_not_taken_for_its_own(
    journal: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.journal"
    with JournalWriter(other, OWNER) as writer:
        for block in blocks(4):
            writer.append(block)
    start, stop, _ = records(other)[-1]
    with journal.open("ab") as file:
        file.write(other.read_bytes()[start:stop])
    assert_equal(list(read_journal(journal)), blocks())


def test_the_journal_of_somebody_else_is_refused(journal: Path) -> None:
    assert_equal(list(read_journal(journal, OWNER)), blocks())
    for other in (("run-2", "nest", 0), ("run", "tvb", 0), ("run", "nest", 1)):
        with pytest.raises(RunDirectoryError, match="is the journal of nest-0 of run 'run', exp"):
            list(read_journal(journal, JournalOwner(*other)))


def test_how_far_a_journal_is_whole_is_told_in_bytes_and_windows(journal: Path) -> None:
    size, (_, stop, _) = journal.stat().st_size, records(journal)[-2]
    whole = f"its last whole record is of window 2 and ends at byte {size} of {size}"
    assert where_it_ends(journal) == whole
    data = bytearray(journal.read_bytes())
    data[-1] ^= 1
    journal.write_bytes(data)
    damaged = f"its last whole record is of window 1 and ends at byte {stop} of {size}"
    assert where_it_ends(journal) == damaged
    journal.write_bytes(bytes(70))
    assert where_it_ends(journal) == "none of its 70 bytes are whole records"


def test_a_journal_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match=r"cannot read the journal .*No such file"):
        list(read_journal(tmp_path / "none.journal"))


def test_nothing_but_numbers_is_read(tmp_path: Path) -> None:
    body = msgpack.packb(
        {"edge": "e", "window": 0, "rank": 0, "signals": [["a", "|O", [1], b"\0" * 8]]}
    )
    path = tmp_path / "odd.journal"
    JournalWriter(path, OWNER).close()
    ((_, _, head),) = records(path)
    with path.open("ab") as file:
        file.write(
            record_of(body, zlib.crc32(struct.pack("<I", len(head)) + head, zlib.crc32(MAGIC)))
        )
    with pytest.raises(RunDirectoryError, match="numbers only, a is of dtype"):
        list(read_journal(path))


def test_an_existing_journal_is_never_overwritten(journal: Path) -> None:
    with pytest.raises(RunDirectoryError, match=r"cannot write the journal .*exists"):
        JournalWriter(journal, OWNER)
    assert_equal(list(read_journal(journal)), blocks())


def test_a_closed_journal_may_be_closed_again(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "twice.journal", OWNER)
    writer.close()
    writer.close()


class FullDisk:
    """A file on a disk that takes only so many bytes."""

    def __init__(self, file: FileIO, room: int) -> None:
        self._file, self.room = file, room

    def write(self, data: memoryview) -> int:
        if not self.room:
            raise OSError(28, "No space left on device")
        taken = self._file.write(data[: self.room])
        self.room -= taken
        return taken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@given(room=st.integers(0, 400))
def test_a_full_disk_is_told_and_leaves_what_fitted(
    tmp_path_factory: pytest.TempPathFactory, room: int
) -> None:
    path = tmp_path_factory.mktemp("full") / "nest-0.journal"
    fitted = []
    with JournalWriter(path, OWNER) as writer:
        writer._file = FullDisk(writer._file, room)

        def append_all() -> None:
            for block in blocks(20):
                writer.append(block)
                fitted.append(block)

        with pytest.raises(RunDirectoryError, match=r"cannot write window \d.*No space left"):
            append_all()
    assert_equal(list(read_journal(path)), fitted)


def test_a_disk_that_is_full_from_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "nest-0.journal"
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(Path, "open", lambda *arguments, **options: full)
        with pytest.raises(RunDirectoryError, match=r"cannot write the head .*No space left"):
            JournalWriter(path, OWNER)
        assert full.closed


def test_what_does_not_reach_the_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(number: int) -> Never:
        raise OSError(5, "Input/output error")

    writer = JournalWriter(tmp_path / "nest-0.journal", OWNER)
    monkeypatch.setattr("os.fsync", fsync)
    with pytest.raises(RunDirectoryError, match=r"to the disk: .*Input/output error"):
        writer.close()
    writer.close()


def test_appending_does_not_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, threads = threading.Event(), []

    def fsync(number: int) -> None:
        threads.append(threading.current_thread())
        assert released.wait(10.0)

    monkeypatch.setattr("os.fsync", fsync)
    writer = JournalWriter(tmp_path / "j", OWNER, sync_every=2)
    for block in blocks(3):
        writer.append(block)
    released.set()
    writer.close()
    assert len(threads) == 2
    assert threading.main_thread() not in threads[:1]
    assert_equal(list(read_journal(tmp_path / "j")), blocks(3))


def test_what_the_disk_refused_meanwhile_is_told_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(number: int) -> Never:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.fsync", fsync)
    writer = JournalWriter(tmp_path / "j", OWNER, sync_every=2)
    first, second, third, fourth = blocks(4)
    for block in (first, second, third):
        writer.append(block)
    with pytest.raises(RunDirectoryError, match=r"to the disk: .*Input/output error"):
        writer.append(fourth)
    with pytest.raises(RunDirectoryError):
        writer.close()


def test_a_recorder_keeps_blocks_and_times(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path / "run")
    layout.make()
    recorder = Recorder(layout, JournalOwner("run", "nest", 1))
    for index in range(300):
        with recorder.phase("advance"), recorder.phase("record"):
            pass
        recorder.record(Window(index, index, index + 1), {"v": np.full(1, index, "<f8")})
        recorder.end_window()
    recorder.received(blocks(1)[0])
    recorder.close()
    kept = list(read_journal(layout.journal("nest", 1)))
    assert [(block.edge, block.rank) for block in kept[:300]] == [("nest.record", 1)] * 300
    assert_equal(kept[300:], blocks(1))
    timing = list(read_journal(layout.timing_journal("nest", 1)))
    assert {block.edge for block in timing} == {"nest.timing"}
    assert [block.window for block in timing] == [0, 256]
    phases = np.concatenate([block.arrays["phases"] for block in timing])
    assert phases.shape == (300, len(PHASES))
    assert (phases >= 0).all()
    assert recorder.compute_s == pytest.approx(
        phases[:, [PHASES.index(name) for name in ("absorb", "advance", "read")]].sum()
    )


def test_times_of_other_phases_are_refused() -> None:
    with pytest.raises(RunDirectoryError, match=r"nest.timing .* another version"):
        phases_of(Block("nest.timing", 0, 0, {"phases": np.zeros((4, 5))}))
