"""The neural mass model and the coupling between regions."""

from __future__ import annotations

from typing import Any

from tvb.basic.neotraits.api import NArray

from tvb_nest_cosim.cosim_core.errors import Fault
from tvb_nest_cosim.cosim_core.model.experiment.tvb import Parametrised
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.plugins import cause_of
from tvb_nest_cosim.tvb_service.registry import COUPLINGS, MODELS, make

PATH = "tvb.model"


def build_model(plan: RunPlan, region_count: int, faults: list[Fault]) -> Any | None:
    """Makes the model with the plan's parameters, declared and derived.

    Args:
        plan: The plan.
        region_count: Regions of the connectome; a parameter may have a value for each.
        faults: Gets everything that is wrong.
    """
    declared = plan.experiment.tvb.model
    choice = Parametrised(name=declared.name, parameters=plan.tvb_parameters)
    elsewhere = {"variables_of_interest": f"{PATH}.variables_of_interest"}
    model = make(MODELS, choice, PATH, plan.base_dir, faults, elsewhere)
    if model is None:
        return None
    _check_sizes(model, choice, region_count, faults)
    if declared.variables_of_interest is not None:
        _observe(model, declared.variables_of_interest, faults)
    return model


def build_coupling(plan: RunPlan, faults: list[Fault]) -> Any | None:
    """Makes the coupling; None, with its faults in ``faults``, if that is not possible."""
    return make(COUPLINGS, plan.experiment.tvb.coupling, "tvb.coupling", plan.base_dir, faults)


def coupling_variables(model: Any) -> list[str]:
    """Returns the state variables that regions send each other, in the order of ``cvar``."""
    return [model.state_variables[index] for index in model.cvar]


def _check_sizes(model: Any, choice: Parametrised, region_count: int, faults: list[Fault]) -> None:
    """Refuses arrays of wrong sizes, on which TVB would fail in the middle of a step."""
    for name in choice.parameters:
        attr = getattr(type(model), name, None)
        if not isinstance(attr, NArray):
            continue
        size, usual = (
            getattr(model, name).size,
            attr.default.size if attr.default is not None else 1,
        )
        allowed = {1, region_count} if usual == 1 else {usual}
        if size not in allowed:
            expected = " or ".join(str(count) for count in sorted(allowed))
            hint = f" (the connectome has {region_count} regions)" if usual == 1 else ""
            faults.append(
                Fault(f"{PATH}.parameters.{name}", f"{size} values, expected {expected}{hint}")
            )


def _observe(model: Any, names: list[str], faults: list[Fault]) -> None:
    """Sets what monitors see; TVB compiles the names, so only those of the model are accepted."""
    trait = getattr(type(model), "variables_of_interest", None)
    offered = getattr(trait, "element_choices", None) or (
        *model.state_variables,
        *model.variables_of_interest,
    )
    unknown = [name for name in names if name not in offered]
    path = f"{PATH}.variables_of_interest"
    if unknown or not names:
        faults.append(
            Fault(
                path,
                f"{type(model).__name__} does not offer {', '.join(unknown) or 'an empty list'}; "
                f"there are: {', '.join(dict.fromkeys(offered))}",
            )
        )
        return
    try:
        model.variables_of_interest = tuple(names)
    except (ValueError, TypeError) as error:
        faults.append(Fault(path, cause_of(error)))
