"""Which engine runs, and what is said about it."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tvb.simulator import coupling, models

import tvb_nest_cosim.tvb_service.engine
from tvb_cases import Case, run_case
from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.tvb_service.compiled.stepper import CompiledStepper
from tvb_nest_cosim.tvb_service.simulator import TvbSimulator

OSCILLATOR: dict[str, Any] = {"model": {"name": "Generic2dOscillator"}}
STOCHASTIC = {"name": "HeunStochastic", "noise": {"nsig": 1e-6}}


class Generic2dOscillator(models.Generic2dOscillator):
    """Of a user, who may have changed anything but the name."""


class MyLinear(coupling.Linear):
    """Likewise."""


def built(**tvb: Any) -> Any:
    case = Case(tvb={**OSCILLATOR, **tvb}, ticks=20)
    return run_case(case).built


def faults(**tvb: Any) -> list[Fault]:
    with pytest.raises(ExperimentError) as caught:
        built(engine="compiled", **tvb)
    return list(caught.value.faults)


def test_auto_is_compiled_where_it_applies_and_says_nothing() -> None:
    result = built()
    assert result.versions["tvb-engine"] == "compiled"
    assert not result.warnings
    assert built(engine="tvb").versions["tvb-engine"] == "tvb"


OTHERS: list[tuple[dict[str, Any], str]] = [
    ({"model": {"name": "JansenRit"}}, "JansenRit is not among what is compiled: Zerlaut"),
    (
        {"model": {"name": f"{__name__}:Generic2dOscillator"}},
        f"{__name__}:Generic2dOscillator is not among",
    ),
    ({"coupling": {"name": f"{__name__}:MyLinear"}}, f"{__name__}:MyLinear is not among"),
    ({"coupling": {"name": "Sigmoidal"}}, "compiled: Linear, Scaling of tvb-library"),
    ({"integrator": {"name": "RungeKutta4thOrderDeterministic"}}, "compiled: EulerDeterministic"),
    (
        {"integrator": {"name": "HeunStochastic", "noise": {"nsig": 1e-6, "tau_ms": 2.0}}},
        "coloured noise is not compiled",
    ),
    (
        {"integrator": {"name": "HeunStochastic", "noise": {"name": "Multiplicative"}}},
        "noise Multiplicative is not compiled, only Additive",
    ),
]


@pytest.mark.parametrize(("tvb", "reason"), OTHERS)
def test_auto_falls_back_with_one_line(
    tvb: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "tvb_nest_cosim.tvb_service"):
        result = built(**tvb)
    assert result.versions["tvb-engine"] == "tvb"
    assert not result.warnings
    (line,) = [
        record for record in caplog.records if record.name == "tvb_nest_cosim.tvb_service.engine"
    ]
    assert line.levelno == logging.INFO
    assert reason in line.getMessage()


@pytest.mark.parametrize(("tvb", "reason"), OTHERS)
def test_compiled_is_refused_with_the_reason(tvb: dict[str, Any], reason: str) -> None:
    (fault,) = faults(**tvb)
    assert fault.path == "tvb.engine"
    assert reason in fault.message
    assert "write auto or tvb" in fault.message


def _off_by_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    advance = CompiledStepper.advance

    def other(self: CompiledStepper, *arguments: Any) -> Any:
        states = advance(self, *arguments)
        states[-1, 0, 0, 0] = np.nextafter(states[-1, 0, 0, 0], np.inf)
        return states

    monkeypatch.setattr(CompiledStepper, "advance", other)


@pytest.mark.parametrize("integrator", [{"name": "HeunDeterministic"}, STOCHASTIC])
def test_a_machine_on_which_a_bit_differs_runs_the_plain_loop(
    monkeypatch: pytest.MonkeyPatch, integrator: dict[str, Any]
) -> None:
    _off_by_a_bit(monkeypatch)
    result = built(integrator=integrator)
    assert result.versions["tvb-engine"] == "tvb"
    (warning,) = result.warnings
    assert "does not give the bits of tvb-library" in warning
    (fault,) = faults(integrator=integrator)
    assert fault.path == "tvb.engine"


def test_a_coupling_that_differs_is_noticed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    read = CompiledStepper._read_tracts

    def one_tick_off(self: CompiledStepper) -> Any:
        tracts = read(self)
        return tracts._replace(back=tracts.back - self._regions)

    monkeypatch.setattr(CompiledStepper, "_read_tracts", one_tick_off)
    assert built().versions["tvb-engine"] == "tvb"


def test_the_comparison_leaves_no_trace_in_the_run() -> None:
    case = Case(tvb={**OSCILLATOR, "integrator": STOCHASTIC, "monitors": [{"name": "Raw"}]})
    plain, compiled = (
        run_case(replace(case, engine=engine)).data["Raw"] for engine in ("tvb", "compiled")
    )
    assert np.array_equal(plain, compiled)


def test_the_plain_engine_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("compiled")

    monkeypatch.setitem(tvb_nest_cosim.tvb_service.engine.ENGINES, "compiled", never)
    assert built(engine="tvb").versions["tvb-engine"] == "tvb"
    simulator = TvbSimulator()
    plan = Case(tvb={"model": {"name": "Kuramoto"}, "coupling": {"name": "Kuramoto"}}).plan()
    made = simulator.build(plan, 0, lambda window, arrays: None)
    assert made.versions["tvb-engine"] == "tvb"


START = """
import logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s %(message)s")
sys.path.insert(0, sys.argv[1])
from tvb_cases import Case, run_case
run_case(Case(tvb={"model": {"name": "Generic2dOscillator"}}, ticks=10))
models = [name for name in sys.modules if name.startswith("tvb.simulator.models.")]
print("MODELS", *sorted(name.rsplit(".")[-1] for name in models))
"""


def start(folder: Path, **environment: str) -> str:
    """Runs a few ticks in a process of its own; returns its log."""
    tests = str(Path(__file__).parents[1])
    inherited = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", START, tests],
        env={**inherited, "HOME": str(folder), "XDG_CACHE_HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=280,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


def test_a_second_start_loads_what_the_first_compiled(tmp_path: Path) -> None:
    first, second = start(tmp_path), start(tmp_path)
    assert first.count("INFO compiled and kept in") == 2
    assert "advance for Oscillator" in first
    assert "compiled and kept" not in second
    assert second.count("INFO loaded in") == 2
    # tvb-library would compile every model that is named
    assert "MODELS base oscillator\n" in first
    (folder,) = (tmp_path / "tvb-nest-cosim" / "kernels").iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
