"""How long ``cosim run`` of the quickstart takes to its first window, with warm caches.

Every process starts anew, as on a user's machine; compiled code and files are cached, since one run
comes before the first that counts. Moments come from the orchestrator's log and from the files that
a run makes. What importing takes is measured besides, by itself.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from benchmarks.figures import drawn
from benchmarks.framework import Benchmark, Once, Quantity, Result, Setting, Values
from benchmarks.runs import QUICKSTART
from benchmarks.servers import WAIT_S, until
from tvb_nest_cosim.cosim_core.run_dir.journal import MAGIC
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.wire.protocol import LAUNCH_ORDER, MODULES, peer_name
from tvb_nest_cosim.orchestrator.report.style import INK, MUTED, PHASE_COLOURS, ROLE_COLOURS

EVERY_S = 0.005
_AHEAD = "from {module}.__main__ import import_ahead; import_ahead()"
_IMPORTS = {
    "python": "pass",
    "cosim": "import tvb_nest_cosim.orchestrator.cli.main",
    "nest": _AHEAD.format(module=MODULES["nest"]),
    "tvb": _AHEAD.format(module=MODULES["tvb"]),
    "translator": "import tvb_nest_cosim.translator.pipeline",
}
# As `cosim`, but it logs who has come and built, as `cosim serve` does.
_COSIM = (
    "import logging; logging.getLogger().setLevel(logging.INFO); "
    "from tvb_nest_cosim.orchestrator.cli.main import main; main()"
)
_WHAT = {"has come": "came", "has built its side": "built"}


@contextmanager
def _prepared(setting: Setting) -> Iterator[Once]:
    root = setting.folder / "start-up"
    small = ["--set", "adex.neurons=100", "--set", "adex.K_ext=100"] if setting.is_tiny else []
    commands = ("help", "plan") if setting.is_tiny else tuple(_COMMANDS)
    if not setting.is_tiny:
        _started(root, small)

    def once() -> Values:
        values = dict(_started(root, small))
        for key in _IMPORTS:
            values |= _imported(key)
        return values | {name: _command_s(name) for name in commands}

    yield once


def _started(root: Path, options: list[str]) -> Values:
    """Returns when what had happened, in seconds after the start."""
    shutil.rmtree(root, ignore_errors=True)
    layout = RunLayout(root)
    command = [
        sys.executable, "-c", _COSIM, "run", str(QUICKSTART), "--no-report",
        "--out", str(root), "--set", "duration_ms=40", *options,
    ]  # fmt: skip
    log = layout.logs / "orchestrator.jsonl"
    began_s = time.time()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        until(log.exists, "the run directory is made", every_s=EVERY_S)
        planned_s = time.time() - began_s
        simulators = [layout.journal(role, 0) for role in ("nest", "tvb")]
        until(lambda: all(map(_has_blocks, simulators)), "a window is complete", every_s=EVERY_S)
        first_s = time.time() - began_s
        _, told = process.communicate(timeout=WAIT_S)
    if process.returncode:
        raise RuntimeError(f"the run failed: {told.decode()}")
    return {"planned": planned_s, **_moments(log, began_s), "first_window": first_s}


def _has_blocks(journal: Path) -> bool:
    return journal.is_file() and journal.stat().st_size > len(MAGIC)


def _moments(log: Path, began_s: float) -> dict[str, float]:
    """Reads from the orchestrator's log when participants had come and when they had built."""
    moments = {}
    for line in map(json.loads, log.read_text().splitlines()):
        name, _, rest = line["message"].partition(" ")
        if rest in _WHAT:
            at_s = datetime.fromisoformat(line["time"]).timestamp()
            moments[f"{_WHAT[rest]} {name}"] = at_s - began_s
    return moments


def _imported(key: str) -> Values:
    """Returns what a process takes that only imports, and its processor time, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began_s = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", _IMPORTS[key]], check=True, timeout=WAIT_S, capture_output=True
    )
    wall_s = time.perf_counter() - began_s
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {f"import {key}": wall_s, f"processor {key}": processor_s}


def _command_s(name: str) -> float:
    """Returns the wall time of a command that runs nothing, in seconds."""
    arguments = ["--help"] if name == "help" else [name, str(QUICKSTART)]
    began_s = time.perf_counter()
    subprocess.run(
        [sys.executable, "-P", "-m", "tvb_nest_cosim.orchestrator", *arguments],
        check=True, timeout=WAIT_S, capture_output=True,
    )  # fmt: skip
    return time.perf_counter() - began_s


def _draw(result: Result, folder: Path) -> None:
    with drawn(folder / "start-up.png", 8.0, 2.8) as (axes,):
        axes.set_title("from `cosim run` to the first window (s)")
        planned, first = result.median("planned"), result.median("first_window")
        built = [result.median(f"built {peer_name(role, 0)}") for role in LAUNCH_ORDER]
        axes.barh("cosim", planned, color=INK, height=0.6)
        for role, end in zip(LAUNCH_ORDER, built, strict=True):
            came = result.median(f"came {peer_name(role, 0)}")
            shade = ROLE_COLOURS[role]
            axes.barh(role, came - planned, left=planned, color=MUTED, height=0.6)
            axes.barh(role, end - came, left=came, color=shade, height=0.6)
            axes.barh(role, max(built) - end, left=end, color=PHASE_COLOURS["wait"], height=0.6)
        axes.barh("windows", first - max(built), left=max(built), color=INK, height=0.6)
        axes.axvline(_AT_MOST_S, color=INK, linestyle=":")
        axes.set_xlabel("plan, then start (grey), imports and build (colour), the first window")
        axes.invert_yaxis()


_AT_MOST_S = 6.0
_COMMANDS = {"help": 0.5, "plan": 2.0, "validate": None}
"""Commands that run nothing, and what they may take at most, in s."""


def _quantities() -> Iterator[Quantity]:
    yield Quantity("planned", "read, planned, run directory made", "s")
    for role in LAUNCH_ORDER:
        yield Quantity(f"came {peer_name(role, 0)}", f"{role} greets", "s")
    for role in LAUNCH_ORDER:
        yield Quantity(f"built {peer_name(role, 0)}", f"{role} has imported and built", "s")
    yield Quantity("first_window", "first window of both simulators done", "s", at_most=_AT_MOST_S)
    for key in _IMPORTS:
        text = "an interpreter that does nothing" if key == "python" else f"{key} imports, alone"
        yield Quantity(f"import {key}", text, "s")
        yield Quantity(f"processor {key}", f"{text}: processor time", "s")
    for name, at_most_s in _COMMANDS.items():
        yield Quantity(
            name, f"cosim {'--help' if name == 'help' else name}", "s", at_most=at_most_s
        )


BENCHMARK = Benchmark(
    name="start-up",
    text="cosim run of the quickstart from the start of its process to the first window",
    quantities=tuple(_quantities()),
    prepare=_prepared,
    repeats=7,
    draw=_draw,
)
