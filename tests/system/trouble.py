"""How the tests of trouble write experiments, watch runs and find processes."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import yaml

from conftest import COSIM
from tvb_nest_cosim.cosim_core.run_dir.journal import read_journal
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout

USER_CODE = Path(__file__).with_name("user_code")

PATIENCE_S = 100.0
"""How long to wait for what comes within seconds on an idle machine."""


def write_experiment(folder: Path, tree: Mapping[str, Any]) -> Path:
    """Writes an experiment; users' modules are found beside it."""
    for module in USER_CODE.glob("*.py"):
        link = folder / module.name
        if not link.exists():
            link.symlink_to(module)
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(dict(tree)))
    return path


def eventually(condition: Callable[[], Any], what: str) -> Any:
    """Waits until something is true and returns it."""
    give_up_at = time.monotonic() + PATIENCE_S
    while not (result := condition()):
        assert time.monotonic() < give_up_at, f"waited too long for {what}"
        time.sleep(0.02)
    return result


def recorded_windows(root: Path, role: str, rank: int = 0) -> int:
    """Counts the windows that a process has recorded."""
    path = RunLayout(root).journal(role, rank)
    if not path.is_file() or path.stat().st_size < 8:
        return 0
    return sum(block.edge == f"{role}.record" for block in read_journal(path))


def module_of(process: psutil.Process) -> str:
    """Returns the service that a process runs, such as ``nest_service``; empty if none."""
    command = process.cmdline()
    if command[1:3] != ["-P", "-m"] or len(command) < 4:
        return ""
    return command[3].removeprefix("tvb_nest_cosim.")


def processes_of(root: Path) -> dict[str, list[psutil.Process]]:
    """Finds the processes of a run, by module, wherever they hang in the tree of processes.

    They are known by the logs that they have open; other runs may have the same name.
    """
    found: dict[str, list[psutil.Process]] = {}
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            if "--run" in command and _has_open(process.pid, root):
                name = "mpirun" if "mpirun" in " ".join(command[:6]) else module_of(process)
                found.setdefault(name, []).append(process)
        except (psutil.Error, OSError):
            continue
    return found


def _has_open(pid: int, root: Path) -> bool:
    files = Path(f"/proc/{pid}/fd").iterdir()
    return any(os.readlink(file).startswith(f"{root}/") for file in files)


def rank_of(root: Path, rank: int) -> psutil.Process:
    """Finds a rank of NEST under mpirun."""
    return next(
        process
        for process in processes_of(root)["nest_service"]
        if process.environ().get("OMPI_COMM_WORLD_RANK") == str(rank)
    )


@contextmanager
def running(*arguments: str | Path, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """Runs the command line in the background; what is left of it is ended."""
    process = subprocess.Popen(
        [*COSIM, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
