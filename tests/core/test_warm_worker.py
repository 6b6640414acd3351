"""Workers that wait for their run: the order reaches them, and whoever gives none ends them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from tvb_nest_cosim.cosim_core.processes.warm_worker import Order, WarmWorker, await_order
from tvb_nest_cosim.cosim_core.wire.protocol import MODULES

WAIT_S = 60.0


@pytest.fixture
def standby() -> WarmWorker:
    return WarmWorker("translator")


def order(output: Path) -> Order:
    nobody = f"ipc://{output.parent}/nobody"
    return Order(control=nobody, run="hostile '; \n run", digest="d", output=output)


def test_an_order_survives_the_pipe(tmp_path: Path) -> None:
    sent = order(tmp_path / "out")
    assert await_order(io.StringIO(sent.model_dump_json() + "\n")) == sent
    assert await_order(io.StringIO("")) is None
    with pytest.raises(ValidationError):
        await_order(io.StringIO(json.dumps({"run": "r"}) + "\n"))


def test_a_waiting_worker_is_taken_once_and_takes_the_order(
    standby: WarmWorker, tmp_path: Path
) -> None:
    assert standby.take(order(tmp_path / "out")) is None
    standby.prepare()
    process = standby.take(order(tmp_path / "out"))
    assert process is not None
    try:
        assert standby.take(order(tmp_path / "out")) is None
        assert os.getpgid(process.pid) == process.pid, "it leads a process group"
    finally:
        process.kill()
        process.wait(WAIT_S)


def test_only_one_waits_and_closing_ends_it(standby: WarmWorker, tmp_path: Path) -> None:
    standby.prepare()
    first = standby._process
    standby.prepare()
    assert standby._process is first
    standby.close()
    assert first is not None
    assert first.returncode is not None
    assert standby.take(order(tmp_path / "out")) is None


def test_a_worker_without_an_order_ends_in_silence() -> None:
    command = [sys.executable, "-P", "-m", MODULES["translator"], "warm-worker"]
    ended = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=WAIT_S, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


def test_what_a_worker_says_after_its_order_goes_to_the_file(tmp_path: Path) -> None:
    command = [
        sys.executable, "-c",
        "import sys; from pathlib import Path; "
        "from tvb_nest_cosim.cosim_core.processes.warm_worker import write_to; "
        "write_to(Path(sys.argv[1])); print('heard', flush=True); print('too', file=sys.stderr)",
        str(tmp_path / "out"),
    ]  # fmt: skip
    ended = subprocess.run(command, capture_output=True, timeout=WAIT_S, check=True)
    assert (ended.stdout, ended.stderr) == (b"", b"")
    assert (tmp_path / "out").read_text() == "heard\ntoo\n"
