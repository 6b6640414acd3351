"""Starters of MPI ranks: one table of launch lines, ranks and last words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvb_nest_cosim.cosim_core.processes.mpi import (
    RANK_VARIABLES,
    STARTERS,
    StarterName,
    find_starter,
    mpi_rank,
)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("openmpi", "mpirun -n 4 --oversubscribe --bind-to none"),
        ("mpich", "mpiexec -n 4"),
        ("pmi2", "srun --mpi=pmi2 --ntasks=4 --kill-on-bad-exit=1"),
        ("pmix", "srun --mpi=pmix --ntasks=4 --kill-on-bad-exit=1"),
    ],
)
def test_what_stands_before_a_command_of_several_ranks(name: StarterName, line: str) -> None:
    assert STARTERS[name].line(4) == line.split()


@pytest.mark.parametrize("row", STARTERS.values(), ids=lambda row: row.name)
def test_every_row_tells_a_process_its_rank(row: object) -> None:
    variable = row.rank_variable  # type: ignore[attr-defined]
    assert variable in RANK_VARIABLES
    assert mpi_rank({variable: "3"}) == 3


def test_the_innermost_rank_counts() -> None:
    """Slurm gives a batch script and every task a number; mpirun may run within one of them."""
    assert mpi_rank({"SLURM_PROCID": "1"}) == 1
    assert mpi_rank({"SLURM_PROCID": "0", "PMIX_RANK": "2"}) == 2
    assert mpi_rank({"SLURM_PROCID": "0", "PMIX_RANK": "0", "PMI_RANK": "3"}) == 3
    assert mpi_rank({"PMIX_RANK": "0", "PMI_RANK": "0", "OMPI_COMM_WORLD_RANK": "4"}) == 4
    assert mpi_rank({}) == 0


@pytest.mark.parametrize(
    ("name", "says", "first"),
    [
        (
            "openmpi",
            "mpirun noticed that process rank 1 with PID 0 on node x exited on signal 9",
            "nest-1",
        ),
        ("openmpi", "Process name: [[5361,1],2]\nExit code: 3", "nest-2"),
        ("openmpi", "Process name: [prterun-x-7@1,2]\nExit code: 3", "nest-2"),
        ("openmpi", "Segmentation fault", "nest-0"),
        ("openmpi", "process rank 9 with PID 0", "nest-0"),
        ("mpich", "=   BAD TERMINATION\n=   RANK 1 PID 7 RUNNING AT x", "nest-1"),
        ("pmi2", "srun: error: node-7: task 2: Killed", "nest-2"),
        (
            "pmix",
            "srun: error: n1: tasks 1-2: Exited with exit code 1\nsrun: error: n0: task 0: Killed",
            "nest-1",
        ),
        ("pmix", "", "nest-0"),
    ],
)
def test_the_rank_that_died_first_is_named(name: StarterName, says: str, first: str) -> None:
    names = ("nest-0", "nest-1", "nest-2")
    got = STARTERS[name].first_to_die(names, says)
    assert got[0] == first
    assert sorted(got) == sorted(names)


@pytest.mark.parametrize(
    ("name", "says", "code"),
    [
        ("pmi2", "srun: error: x: task 1: Killed\nsrun: error: x: task 0: Terminated", -9),
        ("pmix", "srun: error: x: task 1: Segmentation fault (core dumped)", -11),
        ("pmix", "srun: error: x: tasks 0-3: Exited with exit code 3", 3),
        ("pmix", "srun: error: x: task 1: Out Of Memory", -9),
        ("openmpi", "process rank 1 with PID 7 on node x exited on signal 9 (Killed).", 143),
        ("mpich", "", 143),
    ],
)
def test_the_code_is_that_of_the_rank_that_died_first(
    name: StarterName, says: str, code: int
) -> None:
    """What Slurm itself ends with is the highest code, here of a rank that it terminated."""
    assert STARTERS[name].code_of_first(143, says) == code


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("mpirun (Open MPI) 4.1.4", "openmpi"),
        ("HYDRA build details:", "mpich"),
        ("Intel(R) MPI Library for Linux* OS", "mpich"),
    ],
)
def test_mpirun_tells_whose_it_is(tmp_path: Path, says: str, expected: str) -> None:
    fake = tmp_path / "mpi run"
    fake.write_text(f"#!/bin/sh\necho '{says}'\n")
    fake.chmod(0o755)
    found = find_starter({"mpirun": str(fake)}.get)
    assert found is not None
    assert found.name == expected
    assert found.line(2)[:3] == [str(fake), "-n", "2"]


def test_mpiexec_will_do_and_nothing_is_told() -> None:
    found = find_starter({"mpiexec": "/no/such/mpiexec"}.get)
    assert found is not None
    assert (found.name, found.program) == ("mpich", "/no/such/mpiexec")
    assert find_starter(lambda program: None) is None
