"""Slurm at the boundary of processes: programs that answer as the real ones do."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from conftest import COSIM

PROGRAM = """#!{python}
import sys
from pathlib import Path

folder = Path({folder!r})
name = Path(sys.argv[0]).name
with (folder / "calls").open("a") as calls:
    print(name, *sys.argv[1:], sep="\\0", file=calls)
answers = folder / f"{{name}}.answers"
first, *rest = answers.read_text().split("\\0")
if rest:
    answers.write_text("\\0".join(rest))
code, _, text = first.partition(" ")
print(text, file=sys.stderr if code != "0" else sys.stdout)
sys.exit(int(code))
"""


@dataclass
class FakeSlurm:
    """Programs ``sbatch``, ``squeue`` and ``sacct`` in a folder for PATH.

    Attributes:
        folder: Where they are.
    """

    folder: Path

    def answers(self, program: str, *answers: str) -> None:
        """Sets what a program says, call after call, the last again and again.

        Each answer begins with an exit code; a code other than 0 says the rest on stderr.
        """
        path = self.folder / program
        path.write_text(PROGRAM.format(python=sys.executable, folder=str(self.folder)))
        path.chmod(0o755)
        (self.folder / f"{program}.answers").write_text("\0".join(answers))

    def calls(self, program: str) -> list[list[str]]:
        """Returns the arguments of every call of a program."""
        calls = self.folder / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        return [line.split("\0")[1:] for line in lines if line.split("\0")[0] == program]

    def cosim(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Calls the command line with these programs in PATH, and no other Slurm."""
        environment = {**os.environ, "PATH": f"{self.folder}:/usr/bin:/bin", "COLUMNS": "200"}
        return subprocess.run(
            [*COSIM, *map(str, arguments)],
            capture_output=True, text=True, timeout=120, check=False, env=environment,
        )  # fmt: skip
