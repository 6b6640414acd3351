"""Finds the files of a user's module and of what it imports, without importing anything."""

from __future__ import annotations

import ast
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import PathFinder
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout

MAX_PACKAGE_BYTES = 100 * 1024 * 1024
"""Largest package folder that is copied into a run directory."""


def module_files(module: str, folders: Sequence[Path], key: str) -> dict[str, Path]:
    """Finds a module's files and, over import statements, those of the modules that it needs.

    A module that is a file is that file; a package is its whole folder. What code imports by a
    computed name, or opens, is found only if it lies in such a package.

    Args:
        module: Dotted name, as in ``package.module``.
        folders: Where users' modules lie, in the order in which they are searched.
        key: Key path of the name, for faults.

    Returns:
        Absolute path by path relative to the folder that holds it; empty if none of the folders
        has the module.

    Raises:
        ExperimentError: If a file cannot be read, or a package is too large to be copied.
    """
    importlib.invalidate_caches()
    found: dict[str, Path] = {}
    pending, seen = [module.partition(".")[0]], set[str]()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        for folder, path in _files_of(name, folders, key):
            found[path.relative_to(folder).as_posix()] = path
            if path.suffix == ".py":
                pending += _imported(path, key)
    return found


def _files_of(name: str, folders: Sequence[Path], key: str) -> Iterator[tuple[Path, Path]]:
    """Yields folder and file; an installed module wins over a folder without ``__init__.py``."""
    spec = PathFinder.find_spec(name, [*map(str, folders), *sys.path])
    if spec is None:
        return
    if spec.submodule_search_locations is None:
        places = [Path(spec.origin)] if spec.origin else []
    else:
        places = [Path(place) for place in spec.submodule_search_locations]
    for place in places:
        if place.parent in folders:
            files = _package(place, key) if place.is_dir() else [place]
            yield from ((place.parent, path) for path in files)


def _package(root: Path, key: str) -> list[Path]:
    """Lists the files of a package, but not caches, hidden files and run directories."""
    found: list[Path] = []
    total = 0
    for where, folders, names in os.walk(root):
        folder = Path(where)
        folders[:] = [
            name
            for name in folders
            if not name.startswith((".", "__pycache__"))
            and not RunLayout(folder / name).plan.is_file()
        ]
        for path in (folder / name for name in names if not name.startswith(".")):
            total += path.stat().st_size if path.exists() else 0
            if total > MAX_PACKAGE_BYTES:
                raise ExperimentError.single(
                    key,
                    f"the package {root} is larger than {MAX_PACKAGE_BYTES >> 20} MB, so it is not "
                    "copied into the run directory; move data out of it and open them by absolute "
                    "path",
                )
            found.append(path)
    return sorted(found)


def _imported(path: Path, key: str) -> list[str]:
    """Returns the top-level names that import statements anywhere in a file mention."""
    try:
        tree = ast.parse(path.read_bytes())
    except OSError as error:
        raise ExperimentError.single(
            key, f"cannot read {path}: {error.strerror or error}"
        ) from error
    except (SyntaxError, ValueError, RecursionError):
        return []  # importing it says what is wrong
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module)
    return [name.partition(".")[0] for name in names]
