"""What a process imports before its first window; the quickstart's start is nearly all imports."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LOADED = "import json, sys; print(json.dumps(sorted(sys.modules)))"
HEAVY = ("h5py", "matplotlib", "nest", "pandas", "pooch", "scipy.stats", "tvb", "xarray")


@pytest.mark.parametrize(
    ("code", "wanted", "unwanted"),
    [
        (
            "import tvb_nest_cosim.orchestrator.cli.main",
            ("typer",),
            ("numpy", "pydantic", "zmq", *HEAVY),
        ),
        ("import tvb_nest_cosim.orchestrator.cli.commands", ("zmq",), HEAVY),
        (
            "import tvb_nest_cosim.cosim_core.participant.service",
            ("zmq",),
            ("tvb_nest_cosim.cosim_core.processes.agent", "scipy", *HEAVY),
        ),
        (
            "from tvb_nest_cosim.nest_service.__main__ import import_ahead; import_ahead()",
            ("nest",),
            ("matplotlib", "pandas", "scipy.stats", "tvb"),
        ),
        (
            "from tvb_nest_cosim.tvb_service.__main__ import import_ahead; import_ahead()",
            ("tvb.simulator.simulator",),
            ("matplotlib", "nest", "pandas", "scipy.integrate", "scipy.stats", "tvb.simulator.lab"),
        ),
    ],
    ids=["help", "orchestrator", "worker", "nest", "tvb"],
)
def test_a_process_imports_what_it_needs(
    code: str, wanted: tuple[str, ...], unwanted: tuple[str, ...]
) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", f"{code}; {LOADED}"],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    loaded = json.loads(answer.stdout.splitlines()[-1])
    assert set(wanted) <= set(loaded)
    assert not set(unwanted) & set(loaded)
