"""Cost of a point of a sweep beside its windows: before the first, and until its row is there.

The sweep is called as a user does, one point at a time. When a point's windows ended is read from
its journals, when its row was there from its record.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import yaml

from benchmarks.framework import Benchmark, Once, Quantity, Setting, Values
from benchmarks.servers import EXAMPLES
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.orchestrator.sweep.folder import SweepLayout

_POINTS = 4
_WAIT_S = 600.0


@contextmanager
def _prepared(setting: Setting) -> Iterator[Once]:
    folder = setting.folder / "sweep"
    folder.mkdir()
    points = 2 if setting.is_tiny else _POINTS
    small = {"adex.neurons": 50, "adex.K_ext": 100, "duration_ms": 20} if setting.is_tiny else {}
    tree = {
        "name": "sweep",
        "experiment": str(EXAMPLES / "quickstart.yaml"),
        "set": {"duration_ms": 100, **small},
        "design": {"kind": "grid", "vary": {"seed": {"values": list(range(1, 1 + points))}}},
        "statistics": {"discard_ms": 0, "frequency_resolution_hz": 100},
    }
    (folder / "sweep.yaml").write_text(yaml.safe_dump(tree))
    yield lambda: _measured(folder)
    shutil.rmtree(folder)


def _measured(folder: Path) -> Values:
    out = folder / "out"
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tvb_nest_cosim.orchestrator",
         "sweep", str(folder / "sweep.yaml"),
         "--out", str(out), "--at-once", "1"],
        check=False, timeout=_WAIT_S, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"the sweep failed: {done.stdout}{done.stderr}")
    layout = SweepLayout(out)
    table = pd.read_parquet(layout.parquet)
    parts = [
        _overhead(layout, *row)
        for row in zip(table["path"], table["point_s"], table["wall_s"], strict=True)
    ]
    shutil.rmtree(out)
    first, *later = (begin + end for begin, end in parts)
    return {
        "to_first_window": statistics.median(begin for begin, _ in parts[1:]),
        "to_row": statistics.median(end for _, end in parts[1:]),
        "overhead": statistics.median(later),
        "first_point": first,
    }


def _overhead(layout: SweepLayout, path: str, point_s: float, wall_s: float) -> tuple[float, float]:
    """Returns seconds from a point's start to its first window, and from its last to its row."""
    run = RunLayout(layout.root / path)
    ended_s = max(journal.stat().st_mtime for journal in run.journals.iterdir())
    to_row_s = layout.record(run.root.name).stat().st_mtime - ended_s
    return point_s - wall_s - to_row_s, to_row_s


BENCHMARK = Benchmark(
    name="sweep",
    text="what a point of a sweep costs beside its windows, quickstart, local pool, one at a time",
    quantities=(
        Quantity("to_first_window", "start of a point to its first window", "s"),
        Quantity("to_row", "end of its last window to its row", "s"),
        Quantity("overhead", "both together", "s", at_most=5.0),
        Quantity("first_point", "both together, first point of a sweep", "s"),
    ),
    prepare=_prepared,
    repeats=5,
)
