"""Reading a journal while another process still writes it."""

from __future__ import annotations

from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.model.signals import Block
from tvb_nest_cosim.cosim_core.run_dir.journal import (
    PREFIX,
    JournalOwner,
    block_of,
    read_head,
    whole_body,
)

_BODY_BEGINS = b"\x84\xa4edge"
"""How the body of every record begins: a map of four whose first key is ``edge``."""


class JournalTail:
    """What is new in a journal since one last looked.

    A record that is being written is left for the next look. If more is new than ``most_bytes``,
    the oldest of it is skipped, so that a look costs the same however far the reader is behind.

    Args:
        path: The journal; it need not exist yet.
        owner: Whose it has to be.
        most_bytes: Most that one look reads.
    """

    def __init__(self, path: Path, owner: JournalOwner, most_bytes: int) -> None:
        self._path = path
        self._owner = owner
        self._seed: int | None = None
        self._most_bytes = most_bytes
        self._offset = 0
        self._is_aligned = True

    def new(self) -> list[Block]:
        """Returns the blocks that were added, in the order written; none if there is no file.

        Raises:
            RunDirectoryError: If the file is not a journal or cannot be read.
        """
        try:
            data = self._read()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunDirectoryError(f"cannot read the journal {self._path}: {error}") from error
        if self._seed is None:
            return []
        start = 0 if self._is_aligned else _first_record(data, self._seed)
        if start is None:
            return []
        self._is_aligned = True
        blocks, used = _records(data, start, self._seed)
        self._offset += used
        return blocks

    def _read(self) -> bytes:
        with self._path.open("rb") as file:
            if self._seed is None:
                self._seed = read_head(self._path, file, self._owner)
                if self._seed is None:
                    return b""
                self._offset = file.tell()
            size = file.seek(0, 2)
            if size - self._offset > self._most_bytes:
                self._offset = size - self._most_bytes
                self._is_aligned = False
            file.seek(self._offset)
            return file.read(size - self._offset)


def _first_record(data: bytes, seed: int) -> int | None:
    """Finds the first whole record in bytes that begin anywhere; its checksum proves it."""
    found = data.find(_BODY_BEGINS, PREFIX.size)
    while found >= 0:
        if whole_body(data, found - PREFIX.size, seed) is not None:
            return found - PREFIX.size
        found = data.find(_BODY_BEGINS, found + 1)
    return None


def _records(data: bytes, start: int, seed: int) -> tuple[list[Block], int]:
    """Unpacks whole records from ``start`` on; returns them and where the rest begins."""
    blocks = []
    while (body := whole_body(data, start, seed)) is not None:
        blocks.append(block_of(body))
        start += PREFIX.size + len(body)
    return blocks, start
