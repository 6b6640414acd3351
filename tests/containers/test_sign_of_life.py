"""The health check of an agent's container looks at a file; it must tell the truth."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from containers.stack import until
from tvb_nest_cosim.cosim_core.wire.zmq_transport import ZmqTransport
from tvb_nest_cosim.orchestrator.launchers.agent_hub import AgentHub


def test_an_agent_shows_life_only_while_the_orchestrator_calls(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    hub = AgentHub(ZmqTransport(), "tcp://127.0.0.1:*")
    command = [
        sys.executable,
        "-P",
        "-m",
        "tvb_nest_cosim.translator",
        "agent",
        "--orchestrator",
        hub.endpoint,
    ]
    agent = subprocess.Popen(command, env={**os.environ, "COSIM_ALIVE": str(file)})
    try:
        until(file.exists)
        first = file.stat().st_mtime_ns
        until(lambda: file.stat().st_mtime_ns > first)
        hub.close()
        file.unlink()
        assert agent.poll() is None
        try:
            agent.wait(2.5)
        except subprocess.TimeoutExpired:
            assert not file.exists()
    finally:
        agent.terminate()
        agent.wait(20)
