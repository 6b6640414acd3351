"""Finding what a user names as ``module:object``, and words about what a user's code does wrong."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Collection
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import ExperimentError

PLUGIN_PATH_VARIABLE = "COSIM_PLUGIN_PATH"
"""Environment variable: folders of modules that experiments may name, as ``PATH`` is written."""


def plugin_folders() -> list[Path]:
    """Returns the folders of ``COSIM_PLUGIN_PATH``, absolute, in its order."""
    listed = os.environ.get(PLUGIN_PATH_VARIABLE, "").split(os.pathsep)
    return [Path(folder).absolute() for folder in listed if folder]


def cause_of(error: BaseException) -> str:
    """Puts the type and text of an error into one line."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    return name if not text or text == name else f"{name}: {text}"


def suggest(name: str, known: Collection[str]) -> str:
    """Says which of the known names may be meant, or lists them all."""
    near = near_names(name, known)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"known are: {', '.join(sorted(known)) or 'none'}"


def near_names(name: str, known: Collection[str]) -> list[str]:
    """Finds names that may be meant, whatever their case.

    Returns:
        Up to three: those that begin with ``name``; if there are none, those that resemble it.
    """
    folded = {entry.lower(): entry for entry in known}
    typed = name.lower()
    longer = [entry for key, entry in folded.items() if key.startswith(typed)]
    if len(typed) > 1 and longer:
        return longer[:3]
    return [folded[key] for key in difflib.get_close_matches(typed, folded, n=3, cutoff=0.5)]


def find_object(
    name: str, noun: str, is_one: Callable[[object], bool], path: str, base_dir: str
) -> object:
    """Finds an object of a user's module.

    Args:
        name: ``package.module:object``.
        noun: What it has to be, e.g. ``function``.
        is_one: Tells whether an object of the module is such a thing, for the list of those there.
        path: Key path of the name, for faults.
        base_dir: Folder of the experiment file; its modules are found first, then those in the
            folders of ``COSIM_PLUGIN_PATH``.

    Raises:
        ExperimentError: If there is no such module or object, or the module fails on import.
    """
    module_name, separator, object_name = name.partition(":")
    if not (module_name and separator and object_name):
        raise ExperimentError.single(path, f"'{name}' is not of the form package.module:{noun}")
    for folder in (*map(str, reversed(plugin_folders())), base_dir):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    try:
        module = importlib.import_module(module_name)
    # A user's module may raise anything, even end the process.
    except (Exception, SystemExit) as error:
        if _is_absent(module_name, error):
            raise ExperimentError.single(
                path,
                f"there is no module '{module_name}' beside the experiment file ({base_dir}) or "
                "among the installed packages",
            ) from error
        raise ExperimentError.single(
            path,
            f"module '{module_name}' fails on import: {cause_of(error)}",
            traceback.format_exc(),
        ) from error
    if not hasattr(module, object_name):
        known = [key for key, value in vars(module).items() if is_one(value)]
        raise ExperimentError.single(
            path,
            f"module '{module_name}' has no {noun} '{object_name}'; {suggest(object_name, known)}",
        )
    found: object = getattr(module, object_name)
    return found


def _is_absent(module_name: str, error: BaseException) -> bool:
    """Tells a module that does not exist from one that imports something that does not exist."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return False
    return module_name == error.name or module_name.startswith(f"{error.name}.")
