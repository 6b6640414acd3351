r"""Append-only, checksummed files of blocks.

A journal is the magic ``b"COSIMJ1\\n"`` and then records. A record is a little-endian
``uint32`` length of the body, a ``uint32`` CRC-32 of the body, and the body: a MessagePack map
with ``edge``, ``window``, ``rank`` and ``signals``, a list of ``[name, dtype, shape, bytes]``. A
process that dies leaves at most one damaged record, the last; readers stop before it.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import msgpack
import numpy as np

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.model.signals import Block

MAGIC = b"COSIMJ1\n"
HEAD = struct.Struct("<II")
"""Length and checksum before the body of a record."""

_ALLOWED_KINDS = "fiu"


class JournalWriter:
    """Appends blocks to a file.

    Args:
        path: File to make; its folder must exist.
        sync_every: Blocks between two ``fsync``, which a thread does meanwhile; the system may lose
            twice as many in a power cut. A crash of the process loses none, since every block is
            handed to the system at once.

    Raises:
        RunDirectoryError: If the file exists or cannot be written.
    """

    def __init__(self, path: Path, sync_every: int = 1000) -> None:
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
            self._write(MAGIC, "the head")
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
        self._write(HEAD.pack(len(body), zlib.crc32(body)) + body, f"window {block.window}")
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read_journal(path: Path) -> Iterator[Block]:
    """Yields the blocks of a journal in the order written, up to a damaged end.

    Raises:
        RunDirectoryError: If there is no such file or it is not a journal.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise RunDirectoryError(f"cannot read the journal {path}: {error}") from error
    with file:
        if file.read(len(MAGIC)) != MAGIC:
            raise RunDirectoryError(f"{path} is not a journal: it does not begin with {MAGIC!r}")
        while len(head := file.read(HEAD.size)) == HEAD.size:
            length, checksum = HEAD.unpack(head)
            body = file.read(length)
            if len(body) != length or zlib.crc32(body) != checksum:
                return
            yield block_of(body)


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
