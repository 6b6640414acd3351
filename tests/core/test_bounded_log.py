"""However much a stranger sends, the log stays short, and says how much it was."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from core.ensembles import make_plan
from tvb_nest_cosim.cosim_core.participant.data_plane import DataPlane
from tvb_nest_cosim.cosim_core.wire.bounded_log import BoundedLog
from tvb_nest_cosim.cosim_core.wire.transport import MemoryTransport
from tvb_nest_cosim.orchestrator.launchers.base import Processes
from tvb_nest_cosim.orchestrator.run.session import Session

_logger = logging.getLogger(__name__)


def test_the_first_few_then_a_count_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    now_s = 0.0
    log = BoundedLog(_logger, first=2, every_s=10.0, clock=lambda: now_s)
    for number in range(1000):
        now_s = number * 0.025
        log.warning(f"garbage {number}")
    log.flush()
    log.flush()
    assert caplog.messages == [
        "garbage 0",
        "garbage 1",
        "400 more warnings, the latest: garbage 401",
        "400 more warnings, the latest: garbage 801",
        "198 more warnings, the latest: garbage 999",
    ]


def test_garbage_on_the_data_plane_is_logged_now_and_then(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    transport = MemoryTransport()
    plane = DataPlane(transport, "translator-0", "run-1")
    plane.expect(make_plan(tmp_path / "run"), "translator")
    plane.bind("memory://data")
    stranger = transport.connect("memory://data", "stranger")
    (channel,) = plane.channels()
    for _ in range(1000):
        stranger.send([b"garbage"])
        plane.take(channel)
    plane.flush()
    assert 2 <= len(caplog.messages) < 10
    assert "995 more warnings" in caplog.messages[-1]


class Nobody(Processes):
    """Has no process."""

    def start(self, control: str) -> None:
        """Starts nobody."""

    def _ended(self) -> list[object]:  # type: ignore[override]
        return []

    def stop(self, grace_s: float) -> None:
        """Stops nobody."""


@pytest.mark.parametrize("frames", [[b"garbage"], [b"COSIM", b"\x81\xa4kind\xa3bye"]])
def test_garbage_on_the_control_plane_is_logged_now_and_then(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, frames: list[bytes]
) -> None:
    transport = MemoryTransport()
    plan = make_plan(tmp_path / "run")
    processes = Nobody(plan, transport, "memory://control", "memory://data")
    session = Session(plan, processes, observe=lambda coordinator: flood())

    def flood() -> None:
        if stranger_has_called:
            session.coordinator.abort("enough")
            return
        stranger_has_called.append(True)
        stranger = transport.connect("memory://control", "stranger")
        for _ in range(1000):
            stranger.send(frames)

    stranger_has_called: list[bool] = []
    session.run()
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert 2 <= len(warnings) < 10
    assert "more warnings" in warnings[-1]
