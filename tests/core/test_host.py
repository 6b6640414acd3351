"""What a host says that it has."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tvb_nest_cosim.cosim_core.processes import host, mpi
from tvb_nest_cosim.cosim_core.processes.host import advertised, this_host
from tvb_nest_cosim.cosim_core.processes.mpi import nest_has_mpi
from tvb_nest_cosim.orchestrator.launchers.local import LOCAL


@pytest.fixture(autouse=True)
def _asked_afresh() -> Iterator[None]:
    nest_has_mpi.cache_clear()
    yield
    nest_has_mpi.cache_clear()


def a_nest(folder: Path, library: bytes | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts a package ``nest`` in front of any other; its kernel links what its bytes name."""
    package = folder / "nest"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('NEST must not be imported')\n")
    if library is not None:
        (package / "nestkernel_api.cpython-311.so").write_bytes(library)
    spec = importlib.util.spec_from_file_location(
        "nest", package / "__init__.py", submodule_search_locations=[str(package)]
    )
    monkeypatch.setattr(mpi.importlib.util, "find_spec", lambda name: spec)


WITH_MPI = b"\x7fELF\0libc.so.6\0libmpi.so.40\0"
WITHOUT_MPI = b"\x7fELF\0libc.so.6\0libgsl.so.27\0"


@pytest.mark.parametrize(
    ("library", "has_mpi"), [(WITH_MPI, True), (WITHOUT_MPI, False), (None, None)]
)
def test_the_linked_library_tells_whether_nest_has_mpi(
    tmp_path: Path, library: bytes | None, has_mpi: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_nest(tmp_path, library, monkeypatch)
    assert nest_has_mpi() is has_mpi


@pytest.mark.parametrize(
    ("library", "mpirun", "mpi"),
    [
        (WITH_MPI, "/usr/bin/mpirun", True),
        (WITHOUT_MPI, "/usr/bin/mpirun", False),
        (WITH_MPI, None, False),
        (None, "/usr/bin/mpirun", False),
    ],
)
def test_several_ranks_need_mpirun_and_a_nest_with_mpi(
    tmp_path: Path,
    library: bytes | None,
    mpirun: str | None,
    mpi: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a_nest(tmp_path, library, monkeypatch)
    monkeypatch.setattr(host, "find_mpirun", lambda: mpirun)
    assert this_host("nest").mpi is mpi
    assert {known.role: known.mpi for known, _ in LOCAL.hosts(is_busy=False)} == {
        "nest": mpi, "tvb": False, "translator": False,
    }  # fmt: skip


def test_a_role_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(host.DISTRIBUTIONS, "tvb", ("no-such-distribution",))
    hosts = LOCAL.hosts(is_busy=True)
    assert [known.role for known, _ in hosts] == ["nest", "translator"]
    assert all(busy for _, busy in hosts)


def test_cores_are_those_that_this_process_may_use() -> None:
    """Not those of the machine: a container or a job may have fewer."""
    assert this_host("tvb").cores == len(os.sched_getaffinity(0))


def test_other_hosts_reach_a_socket_by_the_name_of_this_one() -> None:
    environment = {"COSIM_ADVERTISE": "node7"}
    assert advertised("tcp://0.0.0.0:5560", environment) == "tcp://node7:5560"
    assert advertised("tcp://127.0.0.1:5560", environment) == "tcp://127.0.0.1:5560"
    assert advertised("ipc:///s/control", environment) == "ipc:///s/control"
