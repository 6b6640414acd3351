"""Points as the elements of a Slurm job array, each of them a ``cosim run`` on a node."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tvb_nest_cosim.cosim_core.deadline import Deadline
from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.cosim_core.processes.commands import ORCHESTRATOR, module_command
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout, write_atomically
from tvb_nest_cosim.cosim_core.run_dir.provenance import Provenance
from tvb_nest_cosim.orchestrator.slurm import queue
from tvb_nest_cosim.orchestrator.slurm.options import JobChoice
from tvb_nest_cosim.orchestrator.slurm.request import Group, Request, request_faults
from tvb_nest_cosim.orchestrator.slurm.script import array_script
from tvb_nest_cosim.orchestrator.sweep.executor import Ended, Needs
from tvb_nest_cosim.orchestrator.sweep.folder import SweepLayout
from tvb_nest_cosim.orchestrator.sweep.kept_run import discard
from tvb_nest_cosim.orchestrator.sweep.needs import needs_of
from tvb_nest_cosim.orchestrator.sweep.points import Point

ASK_EVERY_S = 5.0
"""How often Slurm is asked what goes on."""

PATIENCE_S = 120.0
"""How long Slurm may give no answer before the sweep gives up waiting for it."""

SETTLE_S = 20.0
"""How long files may take to show on this node what an element wrote on another."""


@dataclass
class _Element:
    """A point that Slurm has been given.

    Attributes:
        point: The point.
        job: Number of the array.
        over_s: When Slurm first said that it is over; None: it has not.
    """

    point: Point
    job: str
    over_s: float | None = None


class SlurmArray:
    """Gives all points to Slurm at once; results come through the file system.

    An array goes on if this process ends. The numbers of the arrays are kept in the folder of the
    sweep, so that who goes on with it waits for elements that are still there.

    Args:
        layout: Paths of the sweep.
        base: File of the experiment that the points change.
        name: Name of the jobs.
        at_once: Most elements that Slurm may run at the same time.
        choice: What the user said about jobs.
    """

    def __init__(
        self, layout: SweepLayout, base: Path, name: str, at_once: int | None, choice: JobChoice
    ) -> None:
        self._layout = layout
        self._base = base.resolve()
        self._name = name
        self._at_once = at_once
        self._choice = choice
        self._elements: list[_Element] = []
        self._asked_s = -ASK_EVERY_S
        self._patience = Deadline.after(PATIENCE_S)
        self._is_stopping = False

    @property
    def base_dir(self) -> Path:
        """See :meth:`Executor.base_dir`."""
        return self._base.parent

    def examine(self, point: Point, out: Path) -> Needs:
        """See :meth:`Executor.examine`."""
        return needs_of(point, self._base.parent, out, is_here=False)

    def take(self, waiting: Sequence[tuple[Point, Needs]]) -> list[Point]:
        """See :meth:`Executor.take`; takes all, or none if they were given already.

        Raises:
            ExperimentError: If the job cannot be described.
            SchedulerError: If Slurm does not take it.
        """
        if self._is_stopping or not waiting:
            return []
        self._adopt([point for point, _ in waiting])
        adopted = {element.point.id for element in self._elements}
        fresh = [(point, needs) for point, needs in waiting if point.id not in adopted]
        if fresh:
            self._submit(fresh)
        return [point for point, _ in waiting]

    def script(self, waiting: Sequence[tuple[Point, Needs]]) -> str:
        """Returns the script of an array of points.

        Raises:
            ExperimentError: With every fault of what it asks for.
        """
        cores = max(needs.cores for _, needs in waiting)
        limit = f"%{self._at_once}" if self._at_once else ""
        request = Request(
            name=self._name,
            output=self._layout.root / "logs" / "array-%A_%a.out",
            groups=(Group(tasks=1, cpus=cores, one_node=True),),
            partition=self._choice.partition,
            account=self._choice.account,
            time=self._choice.time,
            constraint=self._choice.constraint,
            array=",".join(str(point.index) for point, _ in waiting) + limit,
            further=self._choice.sbatch_arg,
        )
        if faults := request_faults(request):
            raise ExperimentError(faults)
        elements = {point.index: self._arguments(point) for point, _ in waiting}
        if self._choice.images is None:
            return array_script(request, module_command(ORCHESTRATOR), elements)
        image = self._choice.images.absolute() / "all.sif"
        binds = list(dict.fromkeys([self._layout.root, self._base.parent]))
        return array_script(request, ["cosim"], elements, image, binds)

    def _arguments(self, point: Point) -> list[str]:
        changes = [part for text in point.overrides for part in ("--set", text)]
        root = self._layout.run(point.id)
        return ["run", str(self._base), *changes, "--out", str(root), "--no-report"]

    def _submit(self, fresh: Sequence[tuple[Point, Needs]]) -> None:
        for point, _ in fresh:
            # What is in the way is an unfinished run of this point.
            discard(self._layout.run(point.id))
        write_atomically(self._layout.array_script, self.script(fresh).encode())
        job = queue.submit(self._layout.array_script)
        jobs = "".join(f"{number}\n" for number in (*self._known_jobs(), job))
        write_atomically(self._layout.arrays, jobs.encode())
        self._elements += [_Element(point, job) for point, _ in fresh]

    def _adopt(self, points: Sequence[Point]) -> None:
        """Finds elements of earlier arrays that are still with Slurm."""
        by_index = {point.index: point for point in points}
        for job in self._known_jobs():
            for index, state in queue.elements(job).items():
                if not state.is_over and index in by_index:
                    self._elements.append(_Element(by_index.pop(index), job))

    def _known_jobs(self) -> list[str]:
        if not self._layout.arrays.is_file():
            return []
        return self._layout.arrays.read_text().split()

    def ended(self) -> list[Ended]:
        """See :meth:`Executor.ended`."""
        if not self._elements or time.monotonic() - self._asked_s < ASK_EVERY_S:
            return []
        self._asked_s = time.monotonic()
        try:
            states = {job: queue.elements(job) for job in {e.job for e in self._elements}}
        except queue.SchedulerError:
            # A busy controller does not always answer.
            if self._patience.passed():
                raise
            return []
        self._patience = Deadline.after(PATIENCE_S)
        ended = []
        for element in list(self._elements):
            state = states[element.job].get(element.point.index, queue.JobState("GONE"))
            cause = self._cause(element, state)
            if cause is not None:
                self._elements.remove(element)
                ended.append(Ended(element.point, cause))
        return ended

    def _cause(self, element: _Element, state: queue.JobState) -> str | None:
        """Returns why an element did not finish, nothing if it did, None if it goes on."""
        if not state.is_over:
            return None
        root = self._layout.run(element.point.id)
        known = Provenance.find(root)
        has_finished = known is not None and known.outcome == "finished"
        if known is not None and not has_finished:
            return str(known.cause)
        if has_finished and RunLayout(root).manifest.is_file():
            return ""
        if element.over_s is None:
            element.over_s = time.monotonic()
        if time.monotonic() - element.over_s < SETTLE_S and not self._is_stopping:
            return None
        if has_finished:
            return ""  # it was killed before its results were complete; who measures makes them
        log = self._layout.root / "logs" / f"array-{element.job}_{element.point.index}.out"
        return f"job {element.job}_{element.point.index} is {state.name}; {log} tells more"

    def stop(self) -> None:
        """See :meth:`Executor.stop`."""
        for job in {element.job for element in self._elements}:
            queue.cancel(job, in_good_order=not self._is_stopping)
        self._is_stopping = True

    def close(self) -> None:
        """See :meth:`Executor.close`; what Slurm has goes on."""
