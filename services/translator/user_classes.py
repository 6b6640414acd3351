"""Finds users' translator classes before a run and reports every fault at its key path."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.plugins import cause_of, find_object, suggest
from tvb_nest_cosim.translator.interfaces import ENTRY_POINTS, RateContext


@dataclass(frozen=True)
class UserClass:
    """A translator class with the parameters that the experiment gives it.

    Attributes:
        name: As written in the experiment.
        path: Key path of that name, e.g. ``spiking.0.rate.translator``.
        factory: The class.
        parameters: Keyword arguments.
    """

    name: str
    path: str
    factory: type[Any]
    parameters: Mapping[str, Any]

    def make(self, context: RateContext) -> Any:
        """Makes the translator of a region.

        Raises:
            ExperimentError: If the user's constructor raises; with its traceback.
        """
        try:
            return self.factory(context, **self.parameters)
        except ExperimentError as error:
            raise ExperimentError(
                Fault(self.path, f"{fault.path}: {fault.message}", fault.detail)
                for fault in error.faults
            ) from error
        except (Exception, SystemExit) as error:
            raise ExperimentError.single(
                self.path,
                f"{self.name} cannot be made for region '{context.region}': {cause_of(error)}",
                traceback.format_exc(),
            ) from error


def find_user_class(
    name: str, parameters: Mapping[str, Any], path: str, base_dir: str
) -> UserClass:
    """Finds the class and checks that it takes the parameters.

    Args:
        name: ``module:Class`` or an entry point of the group ``translators``.
        parameters: Keyword arguments of the experiment.
        path: Key path, for faults.
        base_dir: Folder of the experiment file; its modules are found first.

    Raises:
        ExperimentError: If there is no such class, importing it fails, or it does not take the
            parameters.
    """
    if ":" in name:
        found = find_object(name, "class", inspect.isclass, path, base_dir)
    else:
        found = _from_entry_point(name, path)
    if not inspect.isclass(found) or not callable(getattr(found, "translate", None)):
        raise ExperimentError.single(
            path,
            f"'{name}' is not a class with a method 'translate'; see "
            "tvb_nest_cosim.translator.interfaces for what a translator must offer",
        )
    _check_parameters(name, found, parameters, path)
    return UserClass(name, path, found, parameters)


def _check_parameters(
    name: str, factory: type[Any], parameters: Mapping[str, Any], path: str
) -> None:
    try:
        inspect.signature(factory).bind(None, **parameters)
    except TypeError as error:
        raise ExperimentError.single(
            f"{path}_parameters",
            f"{name}{inspect.signature(factory)} is called as {factory.__name__}(context, "
            f"{', '.join(f'{key}={value!r}' for key, value in parameters.items())}): {error}",
        ) from error


def _from_entry_point(name: str, path: str) -> object:
    offered = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if name in offered:
        try:
            return offered[name].load()
        except (Exception, SystemExit) as error:
            raise ExperimentError.single(
                path, f"'{name}' fails on import: {cause_of(error)}", traceback.format_exc()
            ) from error
    raise ExperimentError.single(
        path,
        f"'{name}' is neither of the form module:Class nor a translator that an installed package "
        f"offers; {suggest(name, list(offered))}",
    )
