"""Admits experiments sent over the network: no code and no files but the server's own."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.experiment import Experiment, File, RunJournal
from tvb_nest_cosim.cosim_core.model.experiment.load import load_text, load_tree
from tvb_nest_cosim.orchestrator.launchers.base import Launcher
from tvb_nest_cosim.orchestrator.planning import checks
from tvb_nest_cosim.orchestrator.planning.datasets import cache_dir
from tvb_nest_cosim.orchestrator.planning.plan import Planned, plan_run
from tvb_nest_cosim.orchestrator.server.settings import Settings

_OBJECT = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
_PLAIN_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+ -]*", re.ASCII)

SHIPPED_NETWORKS = "tvb_nest_cosim.nest_service.networks."
"""Package whose modules every experiment may name."""

_NAMES_CODE = frozenset({"name", "module", "translator"})
_NAMES_FILE = frozenset({"sensors", "projection", "region_mapping"})
_FREE = frozenset({"parameters", "translator_parameters"})
"""Keys whose content goes to the code that was named, and is not a name itself."""


def read(source: dict[str, Any] | str, overrides: list[str], *, nest_ranks: int = 1) -> Experiment:
    """Reads an experiment from YAML text or a tree.

    Args:
        source: The text or the tree.
        overrides: Strings ``key.path=value``.
        nest_ranks: MPI ranks of NEST if the experiment says nothing of its resources.

    Raises:
        ExperimentError: With every fault.
    """
    if isinstance(source, str):
        experiment = load_text(source, "the experiment", overrides)
    else:
        experiment = load_tree(source, "the experiment", overrides)
    try:
        text = json.dumps(plain(experiment), ensure_ascii=False, allow_nan=False)
        if "\\u0000" in text:
            raise ValueError("the character 0 is not text")
        text.encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise ExperimentError.single("", f"holds values that JSON cannot: {error}") from error
    return _with_ranks(experiment, nest_ranks)


def _with_ranks(experiment: Experiment, ranks: int) -> Experiment:
    resources = experiment.resources
    if "nest" in resources.model_fields_set:
        return experiment
    own = resources.nest.model_copy(update={"ranks": ranks})
    return experiment.model_copy(update={"resources": resources.model_copy(update={"nest": own})})


def plain(experiment: Experiment) -> dict[str, Any]:
    """Returns an experiment as plain values."""
    return experiment.model_dump(mode="json")


def admit(experiment: Experiment, run: str, settings: Settings, launcher: Launcher) -> Planned:
    """Plans a run and checks that it may be carried out here.

    Args:
        experiment: The experiment.
        run: Identity that the run will have.
        settings: Settings of the server.
        launcher: Where its processes would come from.

    Raises:
        ExperimentError: With every fault found; the server's folders are not shown.
    """
    foreign = [*_foreign_code(experiment, settings), *_foreign_files(experiment, settings)]
    if foreign:
        raise ExperimentError(foreign)
    base_dir = settings.base_dir(isinstance(experiment.stand_in, RunJournal))
    with folders_hidden(settings):
        try:
            # Numbers that no integer can hold must be refused, not wrapped around with a warning.
            with np.errstate(over="raise", invalid="raise"):
                planned = plan_run(experiment, base_dir, settings.runs / run)
        except (ArithmeticError, ValueError, MemoryError) as error:
            raise ExperimentError.single(
                "", f"holds numbers that cannot be planned with: {error}"
            ) from error
        checks.admit(planned, is_here=launcher.is_here)
    return planned


@contextmanager
def folders_hidden(settings: Settings) -> Iterator[None]:
    """Replaces the server's folders by their last names in the faults that pass through."""
    try:
        yield
    except ExperimentError as error:
        known = (settings.home, settings.runs, settings.examples, cache_dir())
        folders = {str(folder.absolute()) for folder in known if folder is not None}
        folders.add(tempfile.gettempdir())

        def hidden(text: str) -> str:
            for folder in sorted(folders, key=len, reverse=True):
                text = re.sub(rf"(?<![\w./-]){re.escape(folder)}(?![\w-])", Path(folder).name, text)
            return text

        raise ExperimentError(
            Fault(fault.path, hidden(fault.message), hidden(fault.detail)) for fault in error.faults
        ) from error


def _foreign_code(experiment: Experiment, settings: Settings) -> Iterator[Fault]:
    for path, key, name in _strings(experiment, ""):
        if key in _NAMES_CODE and ":" in name and path != "name":
            if not _OBJECT.fullmatch(name):
                yield Fault(path, f"'{name}' is not of the form package.module:object")
            elif not _is_allowed(name.partition(":")[0], settings.plugin_path):
                yield Fault(
                    path,
                    f"'{name}' may not be named over the network: its module is neither shipped "
                    "nor in a folder of COSIM_PLUGIN_PATH, which the operator of this server sets",
                )


def _is_allowed(module: str, folders: tuple[Path, ...]) -> bool:
    if module.startswith(SHIPPED_NETWORKS):
        return True
    relative = Path(*module.split("."))
    return any(
        (folder / relative).with_suffix(".py").is_file()
        or (folder / relative / "__init__.py").is_file()
        for folder in folders
    )


def _foreign_files(experiment: Experiment, settings: Settings) -> Iterator[Fault]:
    named = [("connectome.source", experiment.connectome.source)]
    named += [(path, name) for path, key, name in _strings(experiment, "") if key in _NAMES_FILE]
    if isinstance(experiment.stand_in, File):
        named.append(("stand_in.path", experiment.stand_in.path))
    if isinstance(experiment.stand_in, RunJournal):
        named.append(("stand_in.run", experiment.stand_in.run))
    for path, name in named:
        if not _PLAIN_FILE.fullmatch(name):
            yield Fault(
                path,
                f"'{name}' may not be named over the network: only names of data sets, of files "
                "beside the shipped experiments, and of runs of this server, without folders",
            )


def _strings(part: object, path: str) -> Iterator[tuple[str, str, str]]:
    """Yields key path, key and value of every string that is not handed to user code."""
    if isinstance(part, BaseModel):
        items: Iterator[tuple[Any, Any]] = iter(part)
    elif isinstance(part, dict):
        items = iter(part.items())
    elif isinstance(part, list | tuple):
        items = iter(enumerate(part))
    else:
        return
    for key, value in items:
        below = f"{path}.{key}" if path else str(key)
        if isinstance(value, str):
            yield below, str(key), value
        elif key not in _FREE:
            yield from _strings(value, below)
