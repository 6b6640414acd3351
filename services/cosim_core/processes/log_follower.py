"""Follows log files as they grow."""

from __future__ import annotations

from pathlib import Path

_MAX_LINES = 200


class LogFollower:
    """Reads what is appended to the logs of a folder.

    Args:
        folder: The folder.
        pattern: Names of the files, as a shell writes them.
    """

    def __init__(self, folder: Path, pattern: str) -> None:
        self._folder = folder
        self._pattern = pattern
        self._offsets: dict[Path, int] = {}

    def lines(self) -> list[str]:
        """Returns the whole lines since the last call, the last 200 if there are more."""
        lines: list[str] = []
        for path in sorted(self._folder.glob(self._pattern)):
            offset = self._offsets.get(path, 0)
            with path.open("rb") as file:
                file.seek(offset)
                whole, newline, _ = file.read().rpartition(b"\n")
            self._offsets[path] = offset + len(whole) + len(newline)
            lines += whole.decode(errors="replace").splitlines()
        return lines[-_MAX_LINES:]
