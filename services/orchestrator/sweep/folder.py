"""Every path inside the folder of a sweep, and who may write there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.cosim_core.run_dir.lock import held as lock_held


@dataclass(frozen=True)
class SweepLayout:
    """Paths of one sweep.

    Attributes:
        root: The folder.
    """

    root: Path

    @property
    def sweep(self) -> Path:
        """The sweep with every default written out."""
        return self.root / "sweep.yaml"

    @property
    def csv(self) -> Path:
        """The table as text."""
        return self.root / "table.csv"

    @property
    def parquet(self) -> Path:
        """The table with types."""
        return self.root / "table.parquet"

    @property
    def figures(self) -> Path:
        """Folder of heat maps."""
        return self.root / "figures"

    @property
    def array_script(self) -> Path:
        """The batch script of the last job array."""
        return self.root / "array.sbatch"

    @property
    def arrays(self) -> Path:
        """Numbers of the job arrays that were submitted, a line each."""
        return self.root / "arrays.txt"

    def run(self, point: str) -> Path:
        """Run directory of a point."""
        return self.root / "points" / point

    def record(self, point: str) -> Path:
        """What is remembered of a point that ended (JSON)."""
        return self.root / "records" / f"{point}.json"

    def output(self, point: str) -> Path:
        """What the process of a point printed."""
        return self.root / "logs" / f"{point}.out"

    def lock(self, point: str | None = None) -> Path:
        """The file whose holder works on the sweep, or on one point of it."""
        return self.root / "locks" / (point or "sweep")

    def make(self) -> None:
        """Makes the folders; those that are there are kept.

        Raises:
            ExperimentError: If that is not possible.
        """
        try:
            for name in ("points", "records", "logs", "locks", "figures"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ExperimentError.single(
                "--out", f"{self.root} cannot be made: {error.strerror or error}"
            ) from error


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Keeps others from the same work; a process that dies releases it.

    Raises:
        ExperimentError: If somebody else is at it, or this user may not write there.
    """
    busy = ExperimentError.single(
        "--out",
        f"another process works on this sweep; it holds {lock}. Wait until it has ended, or give "
        "another folder",
    )
    with ExitStack() as stack:
        try:
            stack.enter_context(lock_held(lock, busy))
        except OSError as error:
            raise ExperimentError.single(
                "--out",
                f"{lock} cannot be written: {error.strerror or error}. Give a folder in which you "
                "may write",
            ) from error
        yield
