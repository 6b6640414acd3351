"""Kernels, compiled once and kept between starts."""

from __future__ import annotations

import hashlib
import importlib
import logging
import os
import time
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import platformdirs

from tvb_service.library import CACHE_VARIABLE, scratch_cache

_logger = logging.getLogger(__name__)

_WINDOW = "tvb_service.compiled.window"


def load_kernels() -> ModuleType:
    """Imports the kernels so that numba keeps what it compiles in a folder of our own.

    numba notices when the file of a compiled function changes, but not when that of a function
    that it calls does. The folder therefore bears the digest of all of them.
    """
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_folder())
    try:
        return importlib.import_module(_WINDOW)
    finally:
        numba.config.CACHE_DIR = before


def prepare(kernel: Any, *arguments: Any) -> None:
    """Compiles a kernel for arguments of such types, or loads what an earlier start compiled."""
    signature = tuple(numba.typeof(argument) for argument in arguments)
    if signature in kernel.signatures:
        return
    began_s = time.monotonic()
    kernel.compile(signature)
    took_s = time.monotonic() - began_s
    how = "loaded" if signature in kernel.stats.cache_hits else "compiled and kept"
    _logger.info(
        "%s in %.2f s: %s for %s (%s)",
        how, took_s, kernel.__name__, type(arguments[0]).__name__, kernel.stats.cache_path,
    )  # fmt: skip


def cache_folder() -> Path:
    """Returns a folder that can be written to, private to the user.

    It is that of ``NUMBA_CACHE_DIR``, or the user's cache; if neither can be written to, one that
    vanishes with this process.
    """
    given = os.environ.get(CACHE_VARIABLE)
    parent = Path(given) if given else platformdirs.user_cache_path("tvb-nest-cosim") / "kernels"
    folder = parent / _digest()
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder if os.access(folder, os.W_OK | os.X_OK) else Path(scratch_cache())


def _digest() -> str:
    """Returns a digest of the code that is compiled."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
