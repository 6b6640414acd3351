"""A wall clock that can be made to jump for the deployment alone (``clock.c``, preloaded)."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_name("clock.c")


class WallClock:
    """The clock of the processes that get its environment.

    Args:
        folder: Where the library and the file of the offset are made.

    Attributes:
        environment: What such a process needs.
        missing: Why there is none; empty if there is.
    """

    def __init__(self, folder: Path) -> None:
        self.environment: dict[str, str] = {}
        self._offset = folder / "clock"
        self.set(0)
        compiler = shutil.which("cc")
        if compiler is None:
            self.missing = "there is no C compiler (cc) in PATH"
            return
        library = folder / "clock.so"
        command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(_SOURCE), "-ldl"]
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        self.missing = f"clock.c does not compile: {built.stderr}" if built.returncode else ""
        if not built.returncode:
            self.environment = {
                "LD_PRELOAD": str(library),
                "COSIM_SOAK_CLOCK": str(self._offset),
            }

    def set(self, offset_s: int) -> None:
        """Lets the clock jump to so many seconds beyond the true time."""
        # In place: the processes have the file mapped.
        self._offset.touch()
        with self._offset.open("r+b") as file:
            file.write(struct.pack("=q", offset_s))
