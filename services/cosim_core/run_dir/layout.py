"""Every path inside a run directory, and files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError


@dataclass(frozen=True)
class RunLayout:
    """Paths of one run.

    Attributes:
        root: The run directory.
    """

    root: Path

    @property
    def experiment(self) -> Path:
        """The resolved experiment, every default written out."""
        return self.root / "experiment.yaml"

    @property
    def connectome(self) -> Path:
        """The connectome of the run, a copy."""
        return self.root / "connectome.zip"

    @property
    def inputs(self) -> Path:
        """Folder of copies of the files and modules that the experiment names."""
        return self.root / "inputs"

    @property
    def inputs_manifest(self) -> Path:
        """SHA-256 of every copy in ``inputs``, and versions of packages named (JSON)."""
        return self.root / "inputs.json"

    @property
    def plan(self) -> Path:
        """The plan that the participants got, and the populations that NEST built (JSON)."""
        return self.root / "plan.json"

    @property
    def provenance(self) -> Path:
        """Versions, seeds, digests, host, command, outcome."""
        return self.root / "provenance.json"

    @property
    def spikes(self) -> Path:
        """Spikes in SONATA layout."""
        return self.root / "spikes.h5"

    @property
    def tvb(self) -> Path:
        """TVB's monitors."""
        return self.root / "tvb.nc"

    @property
    def rates(self) -> Path:
        """Translated rates and drive, per spiking region."""
        return self.root / "rates.nc"

    @property
    def analog(self) -> Path:
        """Multimeter recordings."""
        return self.root / "analog.nc"

    @property
    def timing(self) -> Path:
        """Phases per participant and window."""
        return self.root / "timing.csv"

    @property
    def report(self) -> Path:
        """The report, one file that opens offline."""
        return self.root / "report.html"

    @property
    def figures(self) -> Path:
        """Folder of figures."""
        return self.root / "figures"

    @property
    def manifest(self) -> Path:
        """Size and SHA-256 of every file above and of the journals; written last (JSON)."""
        return self.root / "manifest.json"

    @property
    def lock(self) -> Path:
        """The file whose holder alone writes here."""
        return self.root / ".lock"

    def results(self) -> tuple[Path, ...]:
        """Returns the files that are made from the journals."""
        return (self.spikes, self.tvb, self.rates, self.analog, self.timing)

    @property
    def logs(self) -> Path:
        """Folder of logs, JSON lines."""
        return self.root / "logs"

    @property
    def journals(self) -> Path:
        """Folder of journals."""
        return self.root / "journal"

    @property
    def keys(self) -> Path:
        """Folder of the keys of a run that spans machines, removed at its end."""
        return self.root / ".keys"

    def journal(self, role: str, rank: int) -> Path:
        """Journal of one process: what it received or recorded, per window."""
        return self.journals / f"{role}-{rank}.journal"

    def timing_journal(self, role: str, rank: int) -> Path:
        """Journal of how long each phase of one process took, per window."""
        return self.journals / f"{role}-{rank}.timing"

    def log(self, role: str, rank: int) -> Path:
        """Log of one process."""
        return self.logs / f"{role}-{rank}.jsonl"

    def make(self) -> None:
        """Makes the folders.

        Raises:
            OSError: If that is not possible, e.g. since the run directory exists.
        """
        self.root.mkdir(parents=True, exist_ok=False)
        for folder in (self.journals, self.logs, self.figures):
            folder.mkdir()


def partial_path(path: Path) -> Path:
    """Returns a name beside ``path`` for what this process writes there and has not finished."""
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


def finish_file(partial: Path, path: Path) -> None:
    """Renames a finished file and brings both file and name to the disk.

    Raises:
        OSError: If that is not possible.
    """
    _sync(partial)
    os.replace(partial, path)
    _sync(path.parent)


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file so that readers see all of it or none of it, also after a power cut.

    Raises:
        RunDirectoryError: If that is not possible, e.g. because the disk is full.
    """
    partial = partial_path(path)
    try:
        partial.write_bytes(data)
        finish_file(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise RunDirectoryError(f"cannot write {path}: {error.strerror or error}") from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems do not know this of folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
