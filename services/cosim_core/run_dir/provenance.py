"""``provenance.json``: what was run where, by which versions, and how it ended."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.model.plan import Built, RunPlan
from tvb_nest_cosim.cosim_core.outcomes import OutcomeKind
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout, write_atomically


class ProcessTimes(BaseModel):
    """Wall time that one process of a run spent computing and waiting for blocks, s."""

    compute_s: float
    wait_s: float


class Provenance(BaseModel):
    """Content of ``provenance.json``; a run writes it when its last window is done.

    Everything but the outcome has a default, for files of other versions of this program.
    """

    model_config = ConfigDict(frozen=True)

    run: str = ""
    """Identity of the run."""
    outcome: OutcomeKind
    cause: str | None = None
    """One line that says why, unless it finished."""
    detail: str | None = None
    """Further lines, such as a traceback."""
    exit_code: int | None = None
    started: str = ""
    """ISO 8601, UTC, as ``ended``."""
    ended: str = ""
    build_s: float | None = None
    """Wall time from the first process to the first window."""
    wall_s: float | None = None
    """Wall time from the first window to the last."""
    real_time_factor: float | None = None
    """Wall time per simulated time; None if nothing was simulated."""
    windows_done: int = 0
    """Windows that every participant has recorded."""
    command: list[str] = []
    host: str = ""
    versions: dict[str, str] = {}
    """Version by package."""
    seeds: dict[str, int] = {}
    experiment_digest: str = ""
    digest: str | None = None
    """Digest of the results."""
    inputs: dict[str, dict[str, str]] = {}
    """Digests of the files that the run read, and versions of the packages that it named."""
    warnings: list[str] = []
    participants: dict[str, ProcessTimes] = {}

    @classmethod
    def now(
        cls,
        plan: RunPlan,
        built: Built,
        *,
        outcome: OutcomeKind,
        cause: str,
        detail: str,
        exit_code: int,
        started: datetime,
        build_s: float,
        wall_s: float,
        windows_done: int,
        command: Sequence[str],
        digest: str | None,
        inputs: dict[str, dict[str, str]],
        participants: dict[str, ProcessTimes],
    ) -> Provenance:
        """Describes a run that ends now on this host; keywords are attributes of the same name."""
        grid = plan.grid
        ticks = min(windows_done * grid.window_ticks, grid.total_ticks)
        simulated_s = ticks * grid.dt_ms / 1000
        return cls(
            run=plan.run,
            outcome=outcome,
            cause=cause or None,
            detail=detail or None,
            exit_code=exit_code,
            started=started.isoformat(timespec="seconds"),
            ended=datetime.now(UTC).isoformat(timespec="seconds"),
            build_s=round(build_s, 3),
            wall_s=round(wall_s, 3),
            real_time_factor=round(wall_s / simulated_s, 3) if simulated_s else None,
            windows_done=windows_done,
            command=list(command),
            host=platform.node(),
            versions={
                "tvb-nest-cosim": metadata.version("tvb-nest-cosim"),
                "python": platform.python_version(),
                **built.versions,
            },
            seeds={"experiment": plan.experiment.seed},
            experiment_digest=plan.experiment_digest,
            digest=digest,
            inputs=inputs,
            warnings=[*plan.warnings, *built.warnings],
            participants=participants,
        )

    def write(self, root: Path) -> None:
        """Writes the file into a run directory.

        Raises:
            RunDirectoryError: If that is not possible, e.g. because the disk is full.
        """
        write_atomically(RunLayout(root).provenance, self.model_dump_json(indent=2).encode())

    @classmethod
    def read(cls, root: Path) -> Provenance | None:
        """Reads the file of a run directory; None if the run never got so far.

        Raises:
            RunDirectoryError: If the file is damaged or cannot be read.
        """
        path = RunLayout(root).provenance
        try:
            return cls.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValidationError) as error:
            raise RunDirectoryError(f"cannot read {path}: {error}") from error

    @classmethod
    def find(cls, root: Path) -> Provenance | None:
        """Reads the file of a run directory; None if there is none that can be read."""
        try:
            return cls.read(root)
        except RunDirectoryError:
            return None
