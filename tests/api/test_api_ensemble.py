"""``GET /ensemble``: who would take part in a run."""

from __future__ import annotations

from typing import Any

import pytest

from tvb_nest_cosim.cosim_core.processes import host
from tvb_nest_cosim.orchestrator.launchers.agents import AgentsLauncher
from tvb_nest_cosim.orchestrator.launchers.local import LOCAL


@pytest.mark.parametrize("has_mpi", [True, False])
def test_a_nest_without_mpi_is_not_offered_with_it(
    start: Any, settings: Any, monkeypatch: pytest.MonkeyPatch, has_mpi: bool
) -> None:
    monkeypatch.setattr(host, "nest_has_mpi", lambda: has_mpi)
    monkeypatch.setattr(host, "find_mpirun", lambda: "/usr/bin/mpirun")
    with start(settings, LOCAL) as served:
        answer = served.client._http.get("/api/v1/ensemble").json()
    assert answer["launcher"] == "local"
    assert {agent["role"]: agent["mpi"] for agent in answer["agents"]} == {
        "nest": has_mpi, "tvb": False, "translator": False,
    }  # fmt: skip
    assert not any(agent["busy"] for agent in answer["agents"])


def test_agents_keep_the_word_that_clients_know(start: Any, settings: Any) -> None:
    with start(settings, AgentsLauncher("tcp://127.0.0.1:*", None)) as served:
        answer = served.client._http.get("/api/v1/ensemble").json()
    assert answer == {"launcher": "attach", "agents": []}
