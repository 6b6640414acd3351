"""The operator of a server chooses how many ranks NEST gets where an experiment says nothing."""

from __future__ import annotations

import pytest

from api.fake_ensemble import TINY
from tvb_nest_cosim.orchestrator.server.security import admission


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], (3, 1, 3)),
        (["resources.nest.threads=2"], (1, 2, 2)),
        (["resources.nest.ranks=2", "resources.nest.virtual_processes=4"], (2, 1, 4)),
    ],
)
def test_ranks_of_the_server_are_taken_only_where_nothing_is_said(
    overrides: list[str], expected: tuple[int, int, int]
) -> None:
    nest = admission.read(TINY, overrides, nest_ranks=3).resources.nest
    assert (nest.ranks, nest.threads, nest.total_virtual_processes) == expected


def test_what_is_kept_of_a_run_says_how_many_ranks_it_had() -> None:
    kept = admission.plain(admission.read(TINY, [], nest_ranks=3))
    assert admission.read(kept, [], nest_ranks=1).resources.nest.ranks == 3
