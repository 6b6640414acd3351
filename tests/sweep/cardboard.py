"""An executor without processes: points become run directories that were written by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.orchestrator.sweep.executor import Ended, Needs
from tvb_nest_cosim.orchestrator.sweep.folder import SweepLayout
from tvb_nest_cosim.orchestrator.sweep.points import Point


def write_provenance(root: Path, outcome: str, digest: str) -> None:
    tree = {
        "outcome": outcome, "experiment_digest": digest, "digest": "d" * 64,
        "build_s": 1.5, "wall_s": 2.5,
    }  # fmt: skip
    RunLayout(root).provenance.write_text(json.dumps(tree))


@dataclass
class Cardboard:
    """Finishes a point at every look, but those that fail.

    Attributes:
        layout: Paths of the sweep.
        finished: A run directory to copy.
        room: Most points at once.
        fails: Why a point fails; empty if it does not.
        on_start: Called with every point that begins.
        started: Points that were begun, in order.
        most: Most points that were under way at once.
        stops: How often it was asked to stop.
        base_dir: Where files are looked up.
    """

    layout: SweepLayout
    finished: Path
    room: int = 2
    fails: Callable[[Point], str] = lambda point: ""
    on_start: Callable[[Point], None] = lambda point: None
    started: list[Point] = field(default_factory=list)
    running: list[Point] = field(default_factory=list)
    most: int = 0
    stops: int = 0
    base_dir: Path | None = None

    def examine(self, point: Point, out: Path) -> Needs:
        return Needs(1, 0, 0)

    def take(self, waiting: Sequence[tuple[Point, Needs]]) -> list[Point]:
        taken = [point for point, _ in waiting[: self.room - len(self.running)]]
        for point in taken:
            self.on_start(point)
        self.running += taken
        self.started += taken
        self.most = max(self.most, len(self.running))
        return taken

    def ended(self) -> list[Ended]:
        if not self.running:
            return []
        point = self.running.pop()
        cause = "stopped" if self.stops else self.fails(point)
        if not cause:
            root = self.layout.run(point.id)
            shutil.copytree(self.finished, root, dirs_exist_ok=True)
            write_provenance(root, "finished", point.digest)
        return [Ended(point, cause)]

    def stop(self) -> None:
        self.stops += 1

    def close(self) -> None:
        """Nothing to release."""
