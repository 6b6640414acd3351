"""Files of the current folder are data: nothing there is imported in place of a package."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from system.trouble import write_experiment
from tvb_nest_cosim.cosim_core.processes.commands import module_command
from tvb_nest_cosim.cosim_core.wire.protocol import MODULES

Answer = subprocess.CompletedProcess[str]

TRAPS = ("translator", "nest", "msgpack", "nest_service", "zmq", "yaml", "tvb")
"""Modules that a folder may hold by chance, or by the hand of another user."""

TRANSLATOR = """
class Counts:
    def __init__(self, context):
        pass

    def translate(self, window, counts, spikes):
        return counts.astype(float)
"""

SERVICES = Path(__file__).parents[2] / "services"


def set_traps(folder: Path, *, but: str = "") -> None:
    for name in TRAPS:
        if name != but:
            (folder / f"{name}.py").write_text(
                f"open({str(folder / 'sprung')!r}, 'a').write({name!r})\n"
                "raise SystemExit('a file of the current folder was imported')\n"
            )


def test_a_run_imports_no_file_of_the_current_folder_but_those_that_it_names(
    tiny: dict[str, Any], tmp_path: Path, cosim: Callable[..., Answer]
) -> None:
    """The user's own translator is called as a package of this project once was."""
    folder, shared = tmp_path / "mine", tmp_path / "shared"
    folder.mkdir()
    shared.mkdir()
    set_traps(shared)
    set_traps(folder, but="translator")
    (folder / "translator.py").write_text(TRANSLATOR)
    tiny["duration_ms"] = 10.0
    tiny["spiking"][0]["rate"] = {"translator": "translator:Counts"}
    path = write_experiment(folder, tiny)
    for number, current in enumerate((shared, folder)):
        out = tmp_path / f"run-{number}"
        answer = cosim("run", path, "--out", out, "--no-report", cwd=current)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        assert not (current / "sprung").exists()


@pytest.mark.parametrize("module", sorted(MODULES.values()))
def test_a_worker_imports_nothing_of_the_current_folder(module: str, tmp_path: Path) -> None:
    set_traps(tmp_path)
    done = subprocess.run(
        module_command(module, "worker", "--help"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "sprung").exists()


def test_every_python_process_is_started_by_one_function() -> None:
    """What starts another by itself might forget ``-P``."""
    makers = [
        path.relative_to(SERVICES)
        for path in SERVICES.rglob("*.py")
        if re.search(r"""["']-m["']""", path.read_text())
    ]
    assert makers == [Path("cosim_core/processes/commands.py")]
    assert module_command("m", "a", python="python3") == ["python3", "-P", "-m", "m", "a"]
    assert module_command("m")[0] == sys.executable
