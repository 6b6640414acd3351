r"""Append-only, checksummed files of blocks.

A journal is the magic ``b"COSIMJ2\\n"``, a head record that says whose journal it is, and records
of blocks. A record is a little-endian ``uint32`` length of the body, a ``uint32`` CRC-32, and the
body: a MessagePack map with ``edge``, ``window``, ``rank`` and ``signals``, a list of
``[name, dtype, shape, bytes]``. Checksums are seeded with that of the head, which holds a random
number, so neither zeros nor records of other journals are taken for records. A process that dies
leaves at most one damaged record, the last; readers stop before it.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgpack
import numpy as np

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.model.signals import Block

MAGIC = b"COSIMJ2\n"
PREFIX = struct.Struct("<II")
"""Length and checksum before the body of a record."""

_ANY_VERSION = b"COSIMJ"
_ALLOWED_KINDS = "fiu"
_NONCE_BYTES = 16


@dataclass(frozen=True)
class JournalOwner:
    """Whose journal it is, as its head says.

    Attributes:
        run: Identity of the run.
        role: Role of the participant.
        rank: Rank of the process.
    """

    run: str
    role: str
    rank: int

    def __str__(self) -> str:
        return f"{self.role}-{self.rank} of run {self.run!r}"

    @classmethod
    def of(cls, head: Mapping[str, Any]) -> JournalOwner:
        """Reads it from the content of a head, which also holds the random number."""
        return cls(head["run"], head["role"], head["rank"])


class JournalWriter:
    """Appends blocks to a file.

    Args:
        path: File to make; its folder must exist.
        owner: Whose it is.
        sync_every: Blocks between two ``fsync``, which a thread does meanwhile; the system may lose
            twice as many in a power cut. A crash of the process loses none, since every block is
            handed to the system at once.

    Raises:
        RunDirectoryError: If the file exists or cannot be written.
    """

    def __init__(self, path: Path, owner: JournalOwner, sync_every: int = 1000) -> None:
        self._path = path
        self._sync_every = sync_every
        self._unsynced = 0
        self._beside = ThreadPoolExecutor(1, "fsync")
        self._syncing: Future[None] | None = None
        try:
            # Unbuffered: what is written is in the system's hands, and nothing waits for the close.
            self._file = path.open("xb", buffering=0)
        except OSError as error:
            raise RunDirectoryError(f"cannot write the journal {path}: {error}") from error
        try:
            head = {**asdict(owner), "nonce": os.urandom(_NONCE_BYTES)}
            record = record_of(msgpack.packb(head), zlib.crc32(MAGIC))
            self._seed = PREFIX.unpack_from(record)[1]
            self._write(MAGIC + record, "the head")
        except RunDirectoryError:
            self._file.close()
            raise

    def append(self, block: Block) -> None:
        """Adds one block.

        Raises:
            RunDirectoryError: If it cannot be written, e.g. because the disk is full.
        """
        body = msgpack.packb(
            {
                "edge": block.edge,
                "window": block.window,
                "rank": block.rank,
                "signals": [
                    [name, array.dtype.str, list(array.shape), array.tobytes()]
                    for name, array in block.arrays.items()
                ],
            }
        )
        self._write(record_of(body, self._seed), f"window {block.window}")
        self._unsynced += 1
        if self._unsynced >= self._sync_every:
            self._unsynced = 0
            self._await_sync()
            self._syncing = self._beside.submit(self._sync)

    def close(self) -> None:
        """Writes everything to disk and closes the file; may be called again.

        Raises:
            RunDirectoryError: If the system cannot bring it to the disk.
        """
        if not self._file.closed:
            try:
                self._await_sync()
                self._sync()
            finally:
                self._beside.shutdown()
                self._file.close()

    def _write(self, data: bytes, what: str) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise RunDirectoryError(
                f"cannot write {what} to the journal {self._path}: {error}"
            ) from error

    def _await_sync(self) -> None:
        """Waits for the last ``fsync``, which also tells whether it failed."""
        if self._syncing is not None:
            syncing, self._syncing = self._syncing, None
            syncing.result()

    def _sync(self) -> None:
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise RunDirectoryError(
                f"cannot bring the journal {self._path} to the disk: {error}"
            ) from error

    def __enter__(self) -> JournalWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def record_of(body: bytes, seed: int) -> bytes:
    """Returns a record.

    Args:
        body: Its body.
        seed: Checksum of the head of its journal; for the head itself, that of the magic.
    """
    return PREFIX.pack(len(body), _checksum(body, seed)) + body


def whole_body(data: bytes, start: int, seed: int) -> bytes | None:
    """Returns the body of the record at ``start``, if all of it is there and undamaged."""
    if len(data) - start < PREFIX.size:
        return None
    length, checksum = PREFIX.unpack_from(data, start)
    body = data[start + PREFIX.size : start + PREFIX.size + length]
    return body if _is_whole(body, length, checksum, seed) else None


def read_journal(path: Path, owner: JournalOwner | None = None) -> Iterator[Block]:
    """Yields the blocks of a journal in the order written, up to a damaged end.

    Args:
        path: The journal.
        owner: Whose it has to be; None: anybody's.

    Raises:
        RunDirectoryError: If there is no such file, it is not a journal, or somebody else's.
    """
    with _opened(path) as file:
        seed = read_head(path, file, owner)
        while seed is not None and (record := _next_record(file, seed)) is not None:
            yield block_of(record[0])


def where_it_ends(path: Path) -> str:
    """Says how far a journal is whole, in bytes and windows.

    Raises:
        RunDirectoryError: If it cannot be read.
    """
    window, place = None, 0
    with _opened(path) as file:
        seed = read_head(path, file)
        while seed is not None and (record := _next_record(file, seed)) is not None:
            window, place = block_of(record[0]).window, file.tell()
        size = file.seek(0, os.SEEK_END)
    if window is None:
        return f"none of its {size} bytes are whole records"
    return f"its last whole record is of window {window} and ends at byte {place} of {size}"


def read_head(path: Path, file: BinaryIO, owner: JournalOwner | None = None) -> int | None:
    """Reads the beginning of a journal, and leaves the file where its blocks begin.

    Args:
        path: Its path.
        file: The file, at its beginning.
        owner: Whose it has to be; None: anybody's.

    Returns:
        The seed of its checksums; None if its process ended before the beginning was on the disk.

    Raises:
        RunDirectoryError: If it is not a journal, or somebody else's.
    """
    magic = file.read(len(MAGIC))
    if magic != MAGIC and MAGIC.startswith(magic.rstrip(b"\0")):
        return None
    if magic != MAGIC:
        made = "it was made by another version of tvb-nest-cosim: " * magic.startswith(_ANY_VERSION)
        raise RunDirectoryError(
            f"{path} is not a journal: {made}it does not begin with {MAGIC!r} but with {magic!r}"
        )
    record = _next_record(file, zlib.crc32(MAGIC))
    if record is None:
        return None
    body, seed = record
    found = JournalOwner.of(msgpack.unpackb(body))
    if owner not in (None, found):
        raise RunDirectoryError(
            f"{path} is the journal of {found}, expected that of {owner}; was it copied here?"
        )
    return seed


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise RunDirectoryError(f"cannot read the journal {path}: {error}") from error


def _next_record(file: BinaryIO, seed: int) -> tuple[bytes, int] | None:
    """Reads the body of a record and its checksum; None if it is not whole."""
    head = file.read(PREFIX.size)
    if len(head) < PREFIX.size:
        return None
    length, checksum = PREFIX.unpack(head)
    body = file.read(length)
    return (body, checksum) if _is_whole(body, length, checksum, seed) else None


def _is_whole(body: bytes, length: int, checksum: int, seed: int) -> bool:
    """Compares a body with its prefix; no record is empty, but space without data is zero."""
    return length > 0 and len(body) == length and _checksum(body, seed) == checksum


def _checksum(body: bytes, seed: int) -> int:
    return zlib.crc32(body, zlib.crc32(len(body).to_bytes(4, "little"), seed))


def block_of(body: bytes) -> Block:
    """Unpacks the body of a record.

    Raises:
        RunDirectoryError: If it holds anything but numbers.
    """
    try:
        record = msgpack.unpackb(body)
        arrays = {}
        for name, dtype, shape, data in record["signals"]:
            kind = np.dtype(dtype)
            if kind.kind not in _ALLOWED_KINDS:
                raise RunDirectoryError(f"a journal holds numbers only, {name} is of dtype {dtype}")
            arrays[name] = np.frombuffer(data, dtype=kind).reshape(shape)
        return Block(record["edge"], record["window"], record["rank"], arrays)
    except (ValueError, TypeError, KeyError, msgpack.UnpackException) as error:
        raise RunDirectoryError(f"a record of a journal is not a block: {error}") from error
