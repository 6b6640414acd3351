"""Models and couplings of the user's own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tvb_cases import Case, run_case
from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.tvb_service.simulator import TvbSimulator

CODE = """
import numpy as np
from tvb.simulator.coupling import Linear
from tvb.simulator.models import Generic2dOscillator

class Mine(Generic2dOscillator):
    pass

class Double(Linear):
    def post(self, gx):
        return 2.0 * super().post(gx)

class Mixing(Generic2dOscillator):
    def dfun(self, state, coupling, local_coupling=0.0):
        return super().dfun(state, coupling, local_coupling) - 0.01 * state.mean(axis=1)[:, None]

class Broken(Generic2dOscillator):
    def __init__(self, **kwargs):
        raise ValueError("the file of my parameters is missing")

class Failing(Generic2dOscillator):
    def dfun(self, state, coupling, local_coupling=0.0):
        raise KeyError("gain")

class Late(Generic2dOscillator):
    calls = 0
    def dfun(self, state, coupling, local_coupling=0.0):
        self.calls += 1
        if self.calls > 6:
            raise ZeroDivisionError("late")
        return super().dfun(state, coupling, local_coupling)

class NoModel:
    pass
"""


@pytest.fixture
def base_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_models.py").write_text(CODE)
    (tmp_path / "my_broken_module.py").write_text("raise RuntimeError('two\\nlines')")
    (tmp_path / "my_script.py").write_text("raise SystemExit(3)")
    yield str(tmp_path)
    sys.modules.pop("my_models", None)


def tvb(model: str, coupling: str = "Linear") -> dict[str, Any]:
    return {
        "model": {"name": model, "parameters": {"tau": 1.5}},
        "coupling": {"name": coupling, "parameters": {"a": 0.1}},
        "monitors": [{"name": "Raw"}],
    }


def test_a_user_model_and_coupling_run(base_dir: str) -> None:
    own = Case(tvb=tvb("my_models:Mine", "my_models:Double"), base_dir=base_dir, ticks=200)
    doubled = tvb("Generic2dOscillator")
    doubled["coupling"]["parameters"]["a"] = 0.2
    expected = run_case(Case(tvb=doubled, ticks=200)).data["Raw"]
    assert np.array_equal(run_case(own).data["Raw"], expected)


@pytest.mark.parametrize(
    ("model", "words", "detail"),
    [
        ("my_models:Absent", "has no class 'Absent'", ""),
        ("my_absent_module:Mine", "there is no module 'my_absent_module'", ""),
        ("my_broken_module:Mine", "RuntimeError: two lines", "raise RuntimeError"),
        ("my_script:Mine", "SystemExit: 3", "raise SystemExit"),
        ("my_models:NoModel", "not a subclass of tvb.simulator.models.base.Model", ""),
        ("my_models:Broken", "ValueError: the file of my parameters is missing", "in __init__"),
    ],
)
def test_what_is_wrong_with_a_user_model(
    base_dir: str, model: str, words: str, detail: str
) -> None:
    (fault,) = faults_of(Case(tvb=tvb(model), base_dir=base_dir))
    assert fault.path == "tvb.model.name"
    assert words in fault.message
    assert "\n" not in fault.message
    assert detail in fault.detail


def test_a_model_that_fails_in_its_first_tick(base_dir: str) -> None:
    (fault,) = faults_of(Case(tvb=tvb("my_models:Failing"), base_dir=base_dir))
    assert "first tick of Failing fails: KeyError: 'gain'" in fault.message
    assert 'raise KeyError("gain")' in fault.detail


def test_a_model_that_fails_later_says_when(base_dir: str) -> None:
    simulator = TvbSimulator()
    plan = Case(tvb=tvb("my_models:Late"), base_dir=base_dir).plan()
    simulator.build(plan, 0, lambda window, arrays: None)
    with pytest.raises(Exception, match=r"tick 4 \(0.4 ms\): ZeroDivisionError: late") as caught:
        simulator.advance(plan.grid.window(0))
    assert "raise ZeroDivisionError" in getattr(caught.value, "detail", "")


def test_a_model_that_mixes_regions_cannot_have_proxies(base_dir: str) -> None:
    alone = Case(tvb=tvb("my_models:Mixing"), base_dir=base_dir, ticks=10)
    assert np.isfinite(run_case(alone).data["Raw"]).all()
    case = Case(tvb=tvb("my_models:Mixing"), base_dir=base_dir, proxies=(9, 47), feeds={"V": 1.0})
    (fault,) = faults_of(case)
    assert fault.path == "tvb.model.name"
    assert "Mixing mixes regions" in fault.message


def faults_of(case: Case) -> tuple[Fault, ...]:
    with pytest.raises(ExperimentError) as caught:
        TvbSimulator().build(case.plan(), 0, lambda window, arrays: None)
    return caught.value.faults
