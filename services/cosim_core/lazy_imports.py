"""Importing a large package without what it imports for parts that a run does not use.

tvb-library imports ``scipy.stats`` to make up connectomes and ``scipy.integrate`` for integrators
that adapt their steps, NEST imports ``pandas`` and ``matplotlib`` for tables and plots; together
these take longer than building either side of the quickstart. They are imported when something of
them is first asked for.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


class _LazyModule(ModuleType):
    """Stands in for a module and passes on what is asked of it, which imports it."""

    def __getattr__(self, name: str) -> Any:
        # Code that looks through all modules asks for such names, without need for this one.
        # A package's path is asked for by the import of something in it.
        if name.startswith("__") and name != "__path__":
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        _withdraw()
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def lazily_imported(*names: str) -> Iterator[None]:
    """Lets imports of modules within the context do nothing until something of them is used.

    What is imported already, or not installed, is left as it is. Outside the context these
    modules are imported as any other.

    Args:
        names: Modules; a package before what is in it.
    """
    for name in [name for name in names if name not in sys.modules and _is_installed(name)]:
        _put(name)
    try:
        yield
    finally:
        _withdraw()


def _is_installed(name: str) -> bool:
    # The package alone: looking for what is in it would import it.
    return importlib.util.find_spec(name.partition(".")[0]) is not None


def _put(name: str) -> None:
    module = sys.modules[name] = _LazyModule(name)
    package, _, last = name.rpartition(".")
    if isinstance(parent := sys.modules.get(package), _LazyModule):
        setattr(parent, last, module)


def _withdraw() -> None:
    # Other threads import meanwhile, or withdraw.
    for name, module in list(sys.modules.items()):
        if isinstance(module, _LazyModule):
            sys.modules.pop(name, None)
