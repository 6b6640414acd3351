"""Classes of tvb-library by name, and their attributes from plain numbers and words."""

from __future__ import annotations

import difflib
import inspect
import sys
import traceback
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tvb.basic.neotraits.api import Attr, EnumAttr, Final, HasTraits, List, NArray
from tvb.datatypes import equations
from tvb.simulator import coupling, integrators, models, monitors, noise

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.experiment.tvb import Parametrised
from tvb_nest_cosim.cosim_core.plugins import cause_of, find_object


@dataclass(frozen=True)
class Family:
    """Classes of one kind.

    Attributes:
        noun: What a class of it is, for messages.
        base: Their common base class.
        names: Names of tvb-library's own.
        module: Where tvb-library keeps them.
        takes_user_classes: Whether ``module:Class`` is allowed.
    """

    noun: str
    base: type
    names: tuple[str, ...]
    module: Any
    takes_user_classes: bool = False


def _family(noun: str, module: Any, base: type, without: Collection[str] = ()) -> Family:
    names = [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, base) and name not in without
    ]
    return Family(noun, base, tuple(sorted(names)), module)


MODELS = Family(
    "model",
    models.Model,
    # the module loads its classes on access, so they are not among its members
    tuple(sorted({entry.value for entry in models.ModelsEnum} - {"Model"})),
    models,
    takes_user_classes=True,
)
COUPLINGS = replace(
    _family("coupling", coupling, coupling.Coupling, {"Coupling", "SparseCoupling"}),
    takes_user_classes=True,
)
INTEGRATORS = _family(
    "integrator", integrators, integrators.Integrator, {"Integrator", "IntegratorStochastic"}
)
NOISES = _family("noise", noise, noise.Noise, {"Noise"})
MONITORS = _family(
    "monitor",
    monitors,
    monitors.Monitor,
    # abstract, for surfaces, or recording nothing
    {"Monitor", "Projection", "BoldRegionROI", "ProgressLogger"},
)
EQUATIONS = _family(
    "temporal equation",
    equations,
    equations.TemporalApplicableEquation,
    {"TemporalApplicableEquation", "FiniteSupportEquation", "DiscreteEquation"},
)


def find_class(
    family: Family, name: str, path: str, base_dir: str, faults: list[Fault]
) -> type | None:
    """Finds a class of tvb-library, or a user's own.

    Args:
        family: What kind of class.
        name: Its name, or ``module:Class`` where the family allows it.
        path: Key path of the name.
        base_dir: Folder in which user modules are looked up.
        faults: Gets the faults found.
    """
    if ":" in name and family.takes_user_classes:
        return _user_class(family, name, path, base_dir, faults)
    if name in family.names:
        found: type = getattr(family.module, name)
        return found
    faults.append(
        Fault(path, f"tvb-library has no {family.noun} '{name}'{_nearest(name, family.names)}")
    )
    return None


def _user_class(
    family: Family, name: str, path: str, base_dir: str, faults: list[Fault]
) -> type | None:
    try:
        found = find_object(name, "class", inspect.isclass, path, base_dir)
    except ExperimentError as error:
        faults += error.faults
        return None
    if inspect.isclass(found) and issubclass(found, family.base):
        return found
    base = f"{family.base.__module__}.{family.base.__name__}"
    faults.append(Fault(path, f"{name} is not a subclass of {base}, as a {family.noun} has to be"))
    return None


def make(
    family: Family,
    choice: Parametrised,
    path: str,
    base_dir: str,
    faults: list[Fault],
    set_elsewhere: Mapping[str, str] | None = None,
) -> Any | None:
    """Makes an object of the class chosen and sets its parameters.

    Args:
        family: What kind of class.
        choice: Class and parameters.
        path: Key path of the choice.
        base_dir: Folder in which user modules are looked up.
        faults: Gets everything that is wrong.
        set_elsewhere: Attributes that have a key of their own, and that key.
    """
    kind = find_class(family, choice.name, f"{path}.name", base_dir, faults)
    if kind is None:
        return None
    try:
        instance = kind()
    except (Exception, SystemExit) as error:
        faults.append(
            Fault(
                f"{path}.name",
                f"{choice.name} cannot be made: {cause_of(error)}",
                detail=traceback.format_exc(),
            )
        )
        return None
    set_parameters(instance, choice.parameters, f"{path}.parameters", faults, set_elsewhere)
    return instance


def set_parameters(
    instance: Any,
    parameters: Mapping[str, Any],
    path: str,
    faults: list[Fault],
    set_elsewhere: Mapping[str, str] | None = None,
) -> None:
    """Sets attributes that tvb-library declares, each converted to its declared type."""
    elsewhere = set_elsewhere or {}
    kind = type(instance)
    known = {name: getattr(kind, name) for name in kind.declarative_attrs}
    names = [name for name, attr in known.items() if _settable(attr) and name not in elsewhere]
    for name, value in parameters.items():
        if name in elsewhere:
            faults.append(Fault(f"{path}.{name}", f"is set by {elsewhere[name]}, not here"))
        elif name not in names:
            text = f"'{name}' is not a parameter of {kind.__name__}{_nearest(name, names)}"
            faults.append(Fault(f"{path}.{name}", text))
        else:
            try:
                setattr(instance, name, _converted(known[name], value))
            except (ValueError, TypeError) as error:
                faults.append(
                    Fault(f"{path}.{name}", f"{_short(value)} does not fit: {cause_of(error)}")
                )


_PLAIN = (str, bool, int, float)
"""Types of attributes that are one word or number."""


def _settable(attr: Any) -> bool:
    if isinstance(attr, Final | List) or attr.field_name == "gid":
        return False
    if isinstance(attr, NArray | EnumAttr) or attr.field_type in _PLAIN:
        return True
    return isinstance(attr, Attr) and issubclass(attr.field_type, HasTraits)


def _converted(attr: Any, value: Any) -> Any:
    """Converts a number, list or word to what an attribute holds.

    Raises:
        ValueError, TypeError: If that is not possible.
    """
    if value == "none" and not attr.required:
        return None
    if isinstance(attr, NArray):
        return _array(value, attr.dtype)
    if isinstance(attr, EnumAttr):
        return _choice({str(entry): entry for entry in attr.choices}, value)
    if attr.field_type is bool:
        return _choice({"0.0": False, "1.0": True}, str(value))
    if attr.field_type in (int, float):
        return attr.field_type(_array(value, attr.field_type).item())
    if attr.field_type is str:
        if not isinstance(value, str):
            raise ValueError("expected a word")
        return value
    return _choice(_concrete(attr.field_type), value)()


def _array(value: Any, dtype: Any) -> Any:
    if isinstance(value, str):
        raise ValueError("expected numbers")
    array = np.atleast_1d(np.array(value, dtype=np.float64))
    exact = array.astype(dtype)
    if not np.array_equal(exact, array):
        raise ValueError(f"expected values of type {np.dtype(dtype).name}")
    return exact


def _concrete(base: type) -> dict[str, type]:
    """Lists the classes that may stand for ``base`` where tvb-library defines it."""
    members = vars(sys.modules[base.__module__]).items()
    return {
        name: value
        for name, value in members
        if inspect.isclass(value) and issubclass(value, base) and value is not base
    }


def _choice(choices: Mapping[str, Any], value: Any) -> Any:
    if value not in choices:
        raise ValueError(f"expected one of {', '.join(choices)}")
    return choices[value]


def _nearest(name: str, known: Collection[str]) -> str:
    folded = {entry.lower(): entry for entry in known}
    near = difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(folded[entry] for entry in near)}" if near else ""
    return f"{hint}; there are: {', '.join(sorted(known)) or 'none'}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
