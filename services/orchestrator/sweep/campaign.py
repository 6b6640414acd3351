"""A sweep from its file to its table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tvb_nest_cosim.cosim_core.errors import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    ExperimentError,
    install_hint,
)
from tvb_nest_cosim.cosim_core.model.experiment.load import dump_yaml, read_yaml
from tvb_nest_cosim.cosim_core.run_dir.layout import write_atomically
from tvb_nest_cosim.orchestrator.run.control import RunControl, signals_to
from tvb_nest_cosim.orchestrator.run.runner import plain_folder
from tvb_nest_cosim.orchestrator.sweep.changed_inputs import check_inputs, mixed_inputs
from tvb_nest_cosim.orchestrator.sweep.display import SweepDisplay, show_table
from tvb_nest_cosim.orchestrator.sweep.executor import Executor
from tvb_nest_cosim.orchestrator.sweep.folder import SweepLayout, held
from tvb_nest_cosim.orchestrator.sweep.model import Measures, Sweep, load_sweep, names_of
from tvb_nest_cosim.orchestrator.sweep.points import Point, resolve
from tvb_nest_cosim.orchestrator.sweep.row import SweepRow
from tvb_nest_cosim.orchestrator.sweep.runner import (
    Progress,
    examine,
    run_points,
    survey,
    survey_warnings,
    warnings_of,
)
from tvb_nest_cosim.orchestrator.sweep.slurm_array import SlurmArray
from tvb_nest_cosim.orchestrator.sweep.statistics import missing_packages
from tvb_nest_cosim.orchestrator.sweep.table import make_table, write_table
from tvb_nest_cosim.orchestrator.terminal import show_warnings

MakeExecutor = Callable[[SweepLayout, Path], Executor]
"""Makes an executor from the paths of a sweep and the file of its base experiment."""


@dataclass(frozen=True)
class Campaign:
    """A sweep that was read.

    Attributes:
        sweep: What its file says.
        base: File of the experiment that the points change.
        layout: Where everything goes.
        points: Every point, in the order of the table.
    """

    sweep: Sweep
    base: Path
    layout: SweepLayout
    points: Sequence[Point]

    @classmethod
    def read(cls, path: Path, out: Path | None) -> Campaign:
        """Reads a sweep and resolves the experiment of every point.

        Raises:
            ExperimentError: With every fault.
        """
        if missing := missing_packages():
            raise ExperimentError.single(
                "", f"sweeps need {', '.join(missing)}: {install_hint('sweep')}"
            )
        sweep = load_sweep(path)
        base = path.parent / sweep.experiment
        points = resolve(sweep, read_yaml(base, "experiment"), str(base))
        root = out or Path("sweeps") / plain_folder(sweep.name)
        return cls(sweep, base, SweepLayout(root.absolute()), points)

    def run(self, console: Console, make: MakeExecutor, *, retry_failed: bool) -> int:
        """Carries out what has not been done, then writes table and figures.

        Returns:
            The exit code.

        Raises:
            ExperimentError: With every fault, before anything was started.
        """
        with closing(make(self.layout, self.base)) as executor:
            found = self._survey(retry_failed)
            if executor.base_dir is not None:
                check_inputs(self.points, found.records, executor.base_dir)
            needs = examine(executor, self.layout, found.due, self._measures)
            told = survey_warnings(self.layout, self.points, found)
            show_warnings(console, [*told, *warnings_of(found.due, needs)])
            self.layout.make()
            with held(self.layout.lock()):
                write_atomically(self.layout.sweep, dump_yaml(self.sweep).encode())
                progress = self._survey(retry_failed)
                distinct = len(progress.records) + len(progress.due)
                display = SweepDisplay(console, distinct, len(progress.records))
                control = RunControl()
                with display, signals_to(control):
                    is_whole = run_points(
                        executor, self.layout, progress, needs, self._measures, display, control
                    )
                failed = self._tell(console, progress)
        if not is_whole:
            return EXIT_INTERRUPTED
        return EXIT_FAILED if failed else 0

    def array(self, array: SlurmArray, *, retry_failed: bool) -> str:
        """Returns the script of a job array for what has not been done; runs nothing.

        Raises:
            ExperimentError: With every fault.
        """
        due = self._survey(retry_failed).due
        if not due:
            raise ExperimentError.single("", "every point has been carried out already")
        needs = examine(array, self.layout, due, self._measures)
        return array.script([(point, needs[point.id]) for point in due])

    def run_one(
        self, console: Console, make: MakeExecutor, index: int, *, retry_failed: bool
    ) -> int:
        """Carries out one point, as a task of a job array; writes no table.

        Returns:
            The exit code.

        Raises:
            ExperimentError: If there is no such point, or with every fault of it.
        """
        if index >= len(self.points):
            raise ExperimentError.single(
                "--only", f"there is no point {index}; the sweep has {len(self.points)}, from 0"
            )
        point = self.points[index]
        twin = next(other for other in self.points if other.id == point.id)
        if twin is not point:
            console.print(f"the same experiment as point {twin.index}, which runs it")
            return 0
        self.layout.make()
        with closing(make(self.layout, self.base)) as executor, held(self.layout.lock(point.id)):
            progress = survey(self.layout, [point], self._measures, retry_failed=retry_failed)
            needs = examine(executor, self.layout, progress.due, self._measures)
            control = RunControl()
            with SweepDisplay(console, 1, len(progress.records)) as display, signals_to(control):
                run_points(executor, self.layout, progress, needs, self._measures, display, control)
        record = progress.records.get(point.id)
        if record is None:
            return EXIT_INTERRUPTED
        return EXIT_FAILED if record.outcome == "failed" else 0

    def collect(self, console: Console) -> int:
        """Writes table and figures of what there is; runs nothing.

        Returns:
            The exit code.
        """
        self.layout.make()
        progress = self._survey(retry_failed=False)
        show_warnings(console, survey_warnings(self.layout, self.points, progress))
        progress.records |= {
            point.id: SweepRow(experiment_digest=point.digest, outcome="failed", cause=cause)
            for point in progress.due
            if (cause := progress.again.get(point.id))
        }
        return EXIT_FAILED if self._tell(console, progress) else 0

    @property
    def _measures(self) -> Measures:
        return self.sweep.statistics

    def _survey(self, retry_failed: bool) -> Progress:
        if self.layout.root.is_dir():
            self.layout.make()  # somebody may have removed a folder of it
        return survey(self.layout, self.points, self._measures, retry_failed=retry_failed)

    def _tell(self, console: Console, progress: Progress) -> int:
        """Writes table and figures and says where they are; returns how many points failed."""
        # Matplotlib takes a second to import, and nobody waits for it until all points are done.
        from tvb_nest_cosim.orchestrator.sweep.heatmaps import draw_heat_maps

        show_warnings(console, mixed_inputs(self.points, progress.records))
        frame = make_table(self.layout, self.points, progress.records)
        write_table(self.layout, frame)
        names = names_of(self.sweep.design)
        figures = draw_heat_maps(frame, names, self.layout.figures)
        show_table(console, self.layout, self.points, frame, len(figures))
        return int((frame["outcome"] == "failed").sum())
