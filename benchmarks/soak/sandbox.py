"""A network and a mount table of the soak's own, so that breaking them disturbs nobody.

``unshare`` gives them to root, and to others where the system allows user namespaces. Without
them, the faults that need them are left out, and the table says so. Everything in them ends with
the last process in them.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_INSIDE = "COSIM_SOAK_INSIDE"
_SET_FLAGS, _UP = 0x8914, 0x1
_BECOME_SUBREAPER = 36


def enter(arguments: list[str]) -> str:
    """Starts this program again inside, which does not return; or says why that is impossible."""
    if os.environ.get(_INSIDE):
        _set_loopback(is_up=True)
        return ""
    unshare = shutil.which("unshare")
    if unshare is None:
        return "there is no unshare in PATH (util-linux)"
    command = [unshare, "--net", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    probe = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    if probe.returncode:
        return f"no namespaces for this user: {probe.stderr.strip()}"
    environment = {**os.environ, _INSIDE: "1"}
    program = [sys.executable, "-m", "benchmarks.soak", *arguments]
    os.execve(unshare, [*command, *program], environment)  # noqa: S606 - no shell


@contextmanager
def loopback_down() -> Iterator[None]:
    """Cuts every connection of this namespace for a while; none is closed by it."""
    _set_loopback(is_up=False)
    try:
        yield
    finally:
        _set_loopback(is_up=True)


@contextmanager
def small_disk(folder: Path, size_mib: int) -> Iterator[None]:
    """Mounts a file system in memory at a folder for a while."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "cosim-soak", str(folder)]
    subprocess.run(mount, check=True)
    try:
        yield
    finally:
        # Lazily, since a process that does not end may have files open there.
        unmount = ["umount", "--lazy", str(folder)]
        subprocess.run(unmount, check=True)


def adopt_orphans() -> None:
    """Makes this process the parent of every descendant whose own has ended."""
    ctypes.CDLL(None).prctl(_BECOME_SUBREAPER, 1)


def _set_loopback(*, is_up: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", _UP if is_up else 0)
        fcntl.ioctl(any_socket, _SET_FLAGS, request)
