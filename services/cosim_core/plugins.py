"""Finds the files and the ``module:object`` that an experiment names, and words their faults.

Both are looked up in the base folder of the plan. While a run goes on that is ``inputs`` in its run
directory, which holds copies (docs/decisions/0018-inputs-are-copied.md).
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from tvb_nest_cosim.cosim_core.errors import ExperimentError

PLUGIN_PATH_VARIABLE = "COSIM_PLUGIN_PATH"
"""Environment variable: folders of modules that experiments may name, as ``PATH`` is written."""

OUTSIDE = "outside"
"""Folder, in a folder of copies, of what does not lie below the base folder."""


def plugin_folders() -> list[Path]:
    """Returns the folders of ``COSIM_PLUGIN_PATH``, absolute, in its order."""
    listed = os.environ.get(PLUGIN_PATH_VARIABLE, "").split(os.pathsep)
    return [Path(folder).absolute() for folder in listed if folder]


def copy_path(name: str) -> str:
    """Returns where in a folder of copies the file of a name lies, relative to that folder.

    It follows from the name alone. Names that lead out of the base folder (absolute, or with
    ``..``) get a folder of their own below :data:`OUTSIDE`.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        return f"{OUTSIDE}/{_short_digest(name)}/{path.name}"
    return str(path)


def link_path(name: str) -> str:
    """Returns where in a folder of copies the link to an earlier run lies."""
    return f"{OUTSIDE}/{_short_digest(name)}/run"


def find_file(base_dir: str | Path, name: str) -> Path:
    """Returns the path of a file that an experiment names.

    Args:
        base_dir: Folder of the experiment file, or of copies.
        name: As written in the experiment; relative names refer to ``base_dir``.

    Returns:
        The copy if there is one, else where the name leads, whether or not it exists.
    """
    copy = Path(base_dir) / copy_path(name)
    return copy if copy.is_file() else Path(base_dir) / name


def find_run(base_dir: str | Path, name: str) -> Path:
    """Returns the run directory that an experiment names; arguments as for :func:`find_file`."""
    link = Path(base_dir) / link_path(name)
    return link.resolve() if link.exists() else Path(base_dir) / name


def _short_digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:12]


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
        is_one: Decides which objects of the module a fault lists as alternatives.
        path: Key path of the name, for faults.
        base_dir: Base folder of the plan; its modules are found first, then those in the folders of
            ``COSIM_PLUGIN_PATH``.

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
        with _without_bytecode():
            module = importlib.import_module(module_name)
    # A user's module may raise anything, even end the process.
    except (Exception, SystemExit) as error:
        if _is_absent(module_name, error):
            raise ExperimentError.single(
                path,
                f"there is no module '{module_name}' beside the experiment file, in a folder of "
                f"{PLUGIN_PATH_VARIABLE} or among the installed packages",
            ) from error
        raise ExperimentError.single(
            path,
            f"module '{module_name}' fails on import: {cause_of(error)}{hint_on(error)}",
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


def hint_on(error: BaseException) -> str:
    """Returns advice if a user's code misses a file, else nothing."""
    if not isinstance(error, FileNotFoundError):
        return ""
    return (
        ". Modules run from copies in the run directory: files that a module reads belong into its "
        "package (a folder with __init__.py, which is copied whole) or are opened by absolute path"
    )


@contextmanager
def _without_bytecode() -> Iterator[None]:
    """Keeps ``__pycache__`` out of run directories."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _is_absent(module_name: str, error: BaseException) -> bool:
    """Distinguishes a missing module from one that imports something missing."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return False
    return module_name == error.name or module_name.startswith(f"{error.name}.")
