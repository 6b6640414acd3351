"""Code that numba compiles: once, kept between starts in a folder private to the user.

Functions that are compiled lie in packages named ``compiled``, which are imported here, so that
numba keeps what it makes of them where this user may write. numba reads its environment when it is
imported, so that happens in the functions here.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib
import importlib.util
import logging
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import platformdirs

CACHE_VARIABLE = "NUMBA_CACHE_DIR"
"""Names the folder in which numba keeps what it compiles."""

_logger = logging.getLogger(__name__)


def load_kernels(module: str) -> ModuleType:
    """Imports a module of kernels so that numba keeps what it compiles in a folder of our own.

    numba notices when the file of a compiled function changes, but not when that of a function
    that it calls does. The folder therefore bears the digest of all files beside the module.

    Args:
        module: Its full name.
    """
    import numba

    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"there is no module {module}")
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_folder(Path(spec.origin).parent))
    try:
        return importlib.import_module(module)
    finally:
        numba.config.CACHE_DIR = before


def prepare(kernel: Any, *arguments: Any) -> None:
    """Compiles a kernel for arguments of such types, or loads what an earlier start compiled."""
    import numba

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


def cache_folder(code: Path) -> Path:
    """Returns a folder that can be written to, private to the user.

    It is that of ``NUMBA_CACHE_DIR``, or the user's cache; if neither can be written to, one that
    vanishes with this process.

    Args:
        code: Folder of the code that is compiled.
    """
    given = os.environ.get(CACHE_VARIABLE)
    parent = Path(given) if given else platformdirs.user_cache_path("tvb-nest-cosim") / "kernels"
    folder = parent / _digest(code)
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder if os.access(folder, os.W_OK | os.X_OK) else Path(scratch_cache())


def scratch_cache() -> str:
    """Makes a folder for compiled code that vanishes with this process."""
    folder = tempfile.mkdtemp(prefix="numba-cache-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _logger.warning(
        "no folder of this user can be written to, so every start compiles anew, for some "
        "seconds; %s may name a folder",
        CACHE_VARIABLE,
    )
    return folder


def _digest(code: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(code.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
