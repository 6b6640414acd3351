"""``cosim serve`` as users have it: a process, real simulators, kill -9, and the command line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
import yaml

from conftest import COSIM
from sweep.sweeps import grid, write_sweep
from tvb_nest_cosim.cosim_core.client import Client, ServerRefusal
from tvb_nest_cosim.cosim_core.results import digest
from tvb_nest_cosim.cosim_core.run_dir.records import RunRecords

TINY: dict[str, Any] = {
    "name": "tiny",
    "duration_ms": 40.0,
    "seed": 7,
    "connectome": {"normalise": "region", "weight_scale": 0.3},
    "adex": {"neurons": 100, "p_connect": 0.2, "K_ext": 100, "external_hz": 5.0},
    "tvb": {
        "integrator": {"name": "HeunStochastic", "noise": {"nsig": {"E": 1e-9}}},
        "monitors": [{"name": "TemporalAverage", "period_ms": 1.0}],
        "initial": {"E": [0.001, 0.01], "I": 0.01, "W_e": 5.0},
    },
    "spiking": [{"regions": ["rHC"]}],
}
ADDRESS = re.compile(r"http://\S+\?token=\S+")
WAIT_S = 120.0


def cosim(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COSIM, *map(str, arguments)],
        capture_output=True, text=True, timeout=WAIT_S, cwd=cwd, check=False,
    )  # fmt: skip


@contextmanager
def server(home: Path, *options: str) -> Iterator[tuple[Client, subprocess.Popen[str]]]:
    """Runs ``cosim serve`` on a free port until the test is done with it."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "tvb_nest_cosim.orchestrator",
        "serve",
        "--port",
        "0",
        "--data",
        str(home),
    ]
    process = subprocess.Popen(
        [*command, *options],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        address = next(found[0] for line in process.stdout if (found := ADDRESS.search(line)))
        client = Client(address)
        with client:
            _until(lambda: _is_ready(client))
            yield client, process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)
        assert process.stdout is not None
        process.stdout.close()


def _is_ready(client: Client) -> bool:
    try:
        return client._http.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _until(condition: Any) -> None:
    give_up_at = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def test_run_by_remote_command_has_the_bits_of_a_local_one(tmp_path: Path) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(TINY))
    local = cosim("run", file, "--out", tmp_path / "local", cwd=tmp_path)
    assert local.returncode == 0, local.stderr
    expected = digest(tmp_path / "local")
    with server(tmp_path / "home") as (client, _):
        token = client._http.headers["Authorization"].removeprefix("Bearer ")
        url = f"{client._http.base_url}?token={token}"
        ran = cosim("remote", "run", file, "--url", url, "--label", "by hand", cwd=tmp_path)
        assert ran.returncode == 0, ran.stderr
        assert f"digest {expected}" in ran.stdout
        run = ran.stdout.splitlines()[0]
        found = client.run(run)
        assert (found.label, found.digest) == ("by hand", expected)
        assert found.windows == found.windows_total
        fetched = cosim("remote", "fetch", run, "--url", url, "--out", "got", cwd=tmp_path)
        assert fetched.returncode == 0, fetched.stderr
        names = {Path(line).name for line in fetched.stdout.splitlines()}
        assert {"report.html", "spikes.h5", "tvb.nc", "timing.csv", "provenance.json"} <= names
        assert any(name.endswith(".png") for name in names)
        wrong = cosim("remote", "run", file, "--set", "seed=0", "--url", url, cwd=tmp_path)
        assert wrong.returncode == 2
        assert "seed" in wrong.stderr
        denied = cosim("remote", "watch", run, "--url", f"{url}x", cwd=tmp_path)
        assert denied.returncode == 1
        assert "token missing or wrong" in denied.stderr.replace("\n", " ")


def test_pause_step_resume_stop_a_real_run(tmp_path: Path) -> None:
    with server(tmp_path / "home") as (client, _):
        run = client.create(TINY, ["duration_ms=100000"]).id
        _until(lambda: client.run(run).windows > 3)
        client.pause(run)
        before = _standstill(client, run)
        client.step(run, 2)
        _until(lambda: client.run(run).windows == before + 2)
        client.resume(run)
        _until(lambda: client.run(run).windows > before + 2)
        client.stop(run)
        ended = client.wait(run)
        assert (ended.state, ended.cause) == ("interrupted", "stopped by the user")
        assert ended.digest
        assert client.series(run, "rates", max_points=10)["rates"]["rHC"]


def _standstill(client: Client, run: str) -> int:
    """Waits until every participant halts at one window."""
    for event in client.events(run):
        if event.kind == "progress":
            peers = {peer["windows"] for peer in event.data["peers"]}
            time.sleep(0.5)
            if peers == {client.run(run).windows}:
                return int(peers.pop())
    raise AssertionError("the run has ended")


def test_two_kills_of_the_server_during_a_sequence_of_runs(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with server(home) as (client, process):
        first = client.create(TINY).id
        assert client.wait(first).state == "finished"
        kept = client.run(first)
        second = client.create(TINY, ["duration_ms=100000"]).id
        third = client.create(TINY, ["duration_ms=100000"]).id
        fourth = client.create(TINY).id
        _until(lambda: client.run(second).windows > 3)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with server(home) as (client, process):
        assert client.run(first) == kept
        broken = client.wait(second)
        assert broken.state == "interrupted"
        assert broken.cause.startswith("the server ended while this run was going on")
        _until(lambda: client.run(third).windows > 3)
        assert client.run(fourth).state == "queued"
        root = home / "runs" / second
        assert RunRecords.open(root).plan.connectome_path == str(root / "connectome.zip")
        names = {file.name for file in client.files(second)}
        assert {"spikes.h5", "rates.nc", "report.html"} <= names
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with server(home) as (client, _):
        assert client.wait(third).state == "interrupted"
        done = client.wait(fourth)
        assert (done.state, done.digest) == ("finished", kept.digest)
        states = [(r.id, r.state) for r in client.runs().items]
        assert states == [
            (fourth, "finished"), (third, "interrupted"),
            (second, "interrupted"), (first, "finished"),
        ]  # fmt: skip


def test_ended_server_stops_its_run_and_a_new_token_ends_the_old_one(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with server(home) as (client, process):
        old = client._http.headers["Authorization"].removeprefix("Bearer ")
        run = client.create(TINY, ["duration_ms=100000"]).id
        _until(lambda: client.run(run).windows > 3)
        stream = client._stream(run, None)
        next(stream)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        stream.close()
    with server(home, "--new-token") as (client, _):
        ended = client.run(run)
        assert (ended.state, ended.cause) == ("interrupted", "the server was told to end")
        assert ended.digest
        with (
            Client(str(client._http.base_url), old) as stale,
            pytest.raises(ServerRefusal, match="token missing or wrong"),
        ):
            stale.runs()


def test_second_server_on_one_folder_is_refused(tmp_path: Path) -> None:
    with server(tmp_path / "home"):
        second = cosim("serve", "--port", "0", "--data", tmp_path / "home", cwd=tmp_path)
        assert second.returncode == 1
        assert "another server uses" in second.stderr.replace("\n", " ")


def test_a_sweep_that_was_killed_is_taken_up_again_on_the_server(tmp_path: Path) -> None:
    """Three points, one of which fails; each is carried out once, with the bits of a local run."""
    tree = TINY | {"tvb": TINY["tvb"] | {"coupling": {"name": "Linear"}}}
    gains = [0.2, 1e300, 0.1]
    write_sweep(tmp_path, grid(tvb__coupling__parameters__a=gains), tree)
    file = tmp_path / "tiny.yaml"
    local = cosim(
        *["run", file, "--set", "tvb.coupling.parameters.a=0.1", "--out", "local"], cwd=tmp_path
    )
    assert local.returncode == 0, local.stderr
    with server(tmp_path / "home") as (client, _):
        token = client._http.headers["Authorization"].removeprefix("Bearer ")
        command = ["sweep", "sweep.yaml", "--url", f"{client._http.base_url}?token={token}"]
        with subprocess.Popen(
            [*COSIM, *command],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
        ) as sweep:
            _until(lambda: client.runs(state="finished").total)
            sweep.kill()
        resumed = cosim(*command, cwd=tmp_path)
        assert resumed.returncode == 1, resumed.stdout + resumed.stderr
        states = [(run.label, run.state) for run in reversed(client.runs().items)]
        assert [state for _, state in states] == ["finished", "failed", "finished"], states
        # Again, there is nothing to do.
        assert cosim(*command, cwd=tmp_path).returncode == 1
        assert client.runs().total == len(gains)
    (folder,) = (tmp_path / "sweeps").iterdir()
    table = pd.read_parquet(folder / "table.parquet")
    assert table["outcome"].tolist() == ["finished", "failed", "finished"]
    assert table["cause"][1].startswith("failed on the server: ")
    assert "TVB" in table["cause"][1]
    assert table["digest"].nunique() == 3
    assert table["digest"][2] == digest(tmp_path / "local")
