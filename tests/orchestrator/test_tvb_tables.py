"""What the planner knows of tvb-library agrees with the installed one."""

from __future__ import annotations

import inspect

from tvb_nest_cosim.orchestrator.planning.tvb_models import (
    COUPLING_VARIABLES,
    LINEAR_COUPLINGS,
    NOISE_VARIABLE,
)
from tvb_nest_cosim.tvb_service.library import load_tvb

load_tvb()

from tvb.simulator import coupling, models  # noqa: E402


def test_coupling_variables_of_every_model() -> None:
    # tvb.simulator.models imports its classes when they are asked for
    classes = {name: getattr(models, name) for name in dir(models)}
    classes = {
        name: value
        for name, value in classes.items()
        if inspect.isclass(value) and getattr(value, "cvar", None) is not None
    }
    found = {
        name: tuple(list(model.state_variables)[index] for index in model.cvar)
        for name, model in classes.items()
    }
    assert found == COUPLING_VARIABLES


def test_slopes_of_linear_couplings() -> None:
    for name, slope in LINEAR_COUPLINGS.items():
        assert getattr(coupling, name)().a.tolist() == [slope]
    assert coupling.Linear().b.tolist() == [0.0]


def test_noise_variable() -> None:
    for name in ("ZerlautAdaptationFirstOrder", "ZerlautAdaptationSecondOrder"):
        assert NOISE_VARIABLE in getattr(models, name).state_variables
