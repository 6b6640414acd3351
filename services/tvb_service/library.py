"""tvb-library, imported without its side effects.

Importing ``tvb`` makes folders under the user's home, replaces the handlers of the root logger by
one that writes to standard output and one that writes to those folders, and warns about parts
that a simulation of regions does not need. This module prevents all that. Every other module of
this package imports ``tvb`` at its top and is itself imported only after :func:`load_tvb`.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import logging.config
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import ExperimentError, install_hint
from tvb_nest_cosim.cosim_core.lazy_imports import lazily_imported
from tvb_nest_cosim.cosim_core.numba_cache import CACHE_VARIABLE, scratch_cache
from tvb_nest_cosim.cosim_core.processes.scratch import scratch_folder

_logger = logging.getLogger(__name__)

_HOME = "TVB_USER_HOME"
_SIMULATOR = "tvb.simulator.simulator"


def load_tvb() -> None:
    """Imports tvb-library; a second call does nothing.

    Raises:
        ExperimentError: If it is not installed.
    """
    # Errors of tvb-library reach the user as faults; its log would only repeat them.
    logging.getLogger("tvb").setLevel(logging.CRITICAL + 1)
    if _SIMULATOR in sys.modules:
        return
    if importlib.util.find_spec("tvb") is None:
        raise ExperimentError.single("tvb", f"tvb-library is not installed: {install_hint('tvb')}")
    _make_numba_cache_writable()
    late = lazily_imported("scipy.integrate", "scipy.stats")
    with late, _scratch_home(), _own_logging(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module(_SIMULATOR)


def versions() -> dict[str, str]:
    """Returns the versions of the packages that determine TVB's numbers."""
    return {name: version(name) for name in ("tvb-library", "numpy", "numba")}


@contextmanager
def _scratch_home() -> Iterator[None]:
    """Lets tvb make its folders in a temporary one; a simulation of regions does not use them."""
    if os.environ.get(_HOME):
        yield
        return
    with scratch_folder("tvb-home") as folder:
        os.environ[_HOME] = str(folder)
        try:
            yield
        finally:
            del os.environ[_HOME]


@contextmanager
def _own_logging() -> Iterator[None]:
    """Prevents imports from changing the logging of this process."""
    configure = logging.config.fileConfig
    logging.config.fileConfig = lambda *_, **__: None
    try:
        yield
    finally:
        logging.config.fileConfig = configure


def _make_numba_cache_writable() -> None:
    """Sets numba's cache folder if neither tvb's folder nor the user's home can be written to."""
    spec = importlib.util.find_spec("tvb")
    places = [*(spec.submodule_search_locations or [] if spec else []), str(Path.home())]
    if os.environ.get(CACHE_VARIABLE) or any(os.access(place, os.W_OK) for place in places):
        return
    os.environ[CACHE_VARIABLE] = scratch_cache()
