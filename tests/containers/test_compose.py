"""The ensemble as users start it: real images, a real engine, real faults.

``make test-containers`` runs it: some minutes, besides what it takes to build the images.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable

import httpx
import pytest

from containers.stack import AGENTS, SMALL, Stack, docker, until
from tvb_nest_cosim.cosim_core.wire.zmq_transport import HEARTBEAT_TIMEOUT_MS

pytestmark = [pytest.mark.containers, pytest.mark.timeout(3600)]

LONG = ["adex.neurons=100", "duration_ms=60000"]
"""Overrides of the quickstart that keep it busy until something happens to it."""

NOTICED_S = 30.0
"""A death, a halt and a lost network are noticed after at most five seconds of silence; the rest is
for a busy machine to write results."""


@pytest.fixture(scope="module")
def finished(stack: Stack) -> str:
    """A run that finished before the faults, which none of them may harm."""
    run = stack.start_run(*SMALL)
    assert stack.finish(run)["state"] == "finished"
    return run


@pytest.fixture
def recovers(stack: Stack, finished: str) -> Callable[[], None]:
    """Checks that everything works again and nothing was lost."""

    def check() -> None:
        stack.await_ready()
        again = stack.finish(stack.start_run(*SMALL))
        before = stack.look_at(finished)
        assert (again["state"], before["state"]) == ("finished", "finished"), again["cause"]
        assert again["digest"] == before["digest"]
        with stack.client() as client:
            assert {"spikes.h5", "tvb.nc"} <= {file.name for file in client.files(finished)}

    return check


def fail_by(stack: Stack, fault: Callable[[], object]) -> str:
    """Lets something happen to a run that is under way; returns the cause it names."""
    run = stack.start_run(*LONG)
    stack.await_windows(run)
    fault()
    began_s = time.monotonic()
    ended = stack.finish(run)
    assert time.monotonic() - began_s < NOTICED_S
    assert ended["state"] == "failed"
    assert 5 <= ended["windows"] < ended["windows_total"]
    return str(ended["cause"])


def test_containers_give_the_local_digest(
    stack: Stack, finished: str, local_digest: Callable[..., str]
) -> None:
    assert stack.look_at(finished)["digest"] == local_digest(*SMALL)


def test_the_page_comes_out_of_the_container(stack: Stack) -> None:
    page = httpx.get(f"http://127.0.0.1:{stack.port}/")
    assert page.status_code == 200
    assert "<title>" in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]
    script = re.search(r'src="([^"]+\.js)"', page.text)
    assert script
    assert httpx.get(f"http://127.0.0.1:{stack.port}/{script[1]}").status_code == 200


def test_ranks_in_a_container_give_the_digest_of_local_threads(
    stack: Stack, local_digest: Callable[..., str]
) -> None:
    """MPI works without a capability, in a read-only root, for an ordinary user."""
    if not next(agent["mpi"] for agent in stack.agents() if agent["role"] == "nest"):
        pytest.skip("the image of NEST was built without MPI (COSIM_NEST_MPI=OFF)")
    run = stack.start_run(*SMALL, "resources.nest.ranks=2", "resources.nest.virtual_processes=2")
    ended = stack.finish(run)
    assert ended["state"] == "finished", ended["cause"]
    assert ended["digest"] == local_digest(*SMALL, "resources.nest.threads=2")


@pytest.mark.parametrize("service", AGENTS)
def test_a_killed_container_is_named_and_the_ensemble_recovers(
    stack: Stack, service: str, recovers: Callable[[], None]
) -> None:
    container = stack.container(service)
    cause = fail_by(stack, lambda: docker("kill", container))
    assert f"{service}-0" in cause
    docker("start", container)
    recovers()


def test_a_paused_container_is_named_and_the_ensemble_recovers(
    stack: Stack, recovers: Callable[[], None]
) -> None:
    container = stack.container("tvb")
    cause = fail_by(stack, lambda: docker("pause", container))
    docker("unpause", container)
    assert "tvb-0" in cause
    recovers()


def test_a_lost_network_is_named_and_the_ensemble_recovers(
    stack: Stack, recovers: Callable[[], None]
) -> None:
    network, container = f"{stack.project}_ensemble", stack.container("nest")
    cause = fail_by(stack, lambda: docker("network", "disconnect", network, container))
    docker("network", "connect", "--alias", "nest", network, container)
    # Connections of before look alive for so long and then break, which would fail a new run.
    time.sleep(HEARTBEAT_TIMEOUT_MS / 1000 + 3)
    assert "nest-0" in cause
    recovers()


def test_a_killed_orchestrator_says_honestly_what_it_did_not_finish(
    stack: Stack, recovers: Callable[[], None]
) -> None:
    run = stack.start_run(*LONG)
    stack.await_windows(run)
    docker("kill", stack.container("orchestrator"))
    docker("start", stack.container("orchestrator"))
    until(lambda: stack.look_at(run)["state"] == "interrupted")
    recovers()


@pytest.mark.parametrize("service", ["orchestrator", *AGENTS])
def test_containers_have_no_privileges(stack: Stack, service: str) -> None:
    status = dict(
        line.split(":\t", 1)
        for line in stack.inside(service, "cat", "/proc/self/status").split("\n")
    )
    assert status["Uid"].split() == ["10001"] * 4
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    host = stack.inspect(service)["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["Memory"] > 0
    assert host["PidsLimit"] > 0
    for folder in ("/", "/opt/venv", "/etc", "/plugins"):
        with pytest.raises(AssertionError, match=r"Read-only|denied"):
            stack.inside(service, "touch", f"{folder}/intruder")
    stack.inside(service, "touch", "/tmp/scratch")  # noqa: S108 - inside the container


def test_only_the_orchestrator_is_published_and_only_here(stack: Stack) -> None:
    ports = {s: stack.inspect(s)["NetworkSettings"]["Ports"] for s in ("orchestrator", *AGENTS)}
    published = {
        (service, inner, binding["HostIp"], binding["HostPort"])
        for service, bindings in ports.items()
        for inner, outer in bindings.items()
        for binding in outer or ()
    }
    assert published == {("orchestrator", "8642/tcp", "127.0.0.1", str(stack.port))}
    for service in AGENTS:
        assert set(stack.inspect(service)["NetworkSettings"]["Networks"]) == {
            f"{stack.project}_ensemble"
        }
    network = json.loads(docker("network", "inspect", f"{stack.project}_ensemble"))[0]
    assert network["Internal"]


@pytest.mark.parametrize("service", AGENTS)
def test_an_agent_has_no_secret_but_its_own(stack: Stack, service: str) -> None:
    files = stack.inside(service, "ls", "/keys").split()
    assert sorted(file for file in files if file.endswith("_secret")) == [f"{service}.key_secret"]
    assert len(files) == 5


def test_keys_are_kept_when_the_ensemble_starts_again(stack: Stack) -> None:
    before = stack.inside("nest", "cat", "/keys/orchestrator.key")
    stack.compose("up", "--detach", "--wait")
    assert stack.inside("nest", "cat", "/keys/orchestrator.key") == before
    assert "kept the keys" in stack.compose("logs", "keys")


def test_an_image_holds_its_own_service_and_simulator_alone(stack: Stack) -> None:
    """And nothing to install further packages with."""
    probe = "import importlib.util as u; print(*(n for n in {} if u.find_spec(n)))".format(
        (
            "tvb_nest_cosim.nest_service",
            "tvb_nest_cosim.tvb_service",
            "tvb_nest_cosim.translator",
            "tvb_nest_cosim.orchestrator",
            "nest",
            "tvb",
            "pip",
            "fastapi",
        )
    )
    held = {
        service: set(stack.inside(service, "python", "-c", probe).split())
        for service in ("orchestrator", *AGENTS)
    }
    assert held == {
        "orchestrator": {"tvb_nest_cosim.orchestrator", "fastapi"},
        "nest": {"tvb_nest_cosim.nest_service", "nest"},
        "tvb": {"tvb_nest_cosim.tvb_service", "tvb"},
        "translator": {"tvb_nest_cosim.translator"},
    }


@pytest.mark.parametrize("example", ["custom_network/experiment.yaml", "against_file.yaml"])
def test_code_and_files_that_experiments_name_are_in_the_containers(
    stack: Stack, example: str
) -> None:
    """By default /plugins is the folder of the shipped network, files lie beside the examples."""
    ended = stack.finish(stack.start_run("duration_ms=50", example=example))
    assert ended["state"] == "finished", (ended["cause"], ended["faults"])


def test_runs_can_live_in_postgresql(stack: Stack, recovers: Callable[[], None]) -> None:
    """The password is made inside and never seen; runs outlive both containers."""
    sqlite = dict(stack.environment)
    stack.environment["COSIM_DATABASE"] = (
        "postgresql://cosim@postgres/cosim?passfile=/keys/postgres/pgpass"
    )
    try:
        stack.compose("up", "--detach", "--wait", profile="postgres")
        stack.await_ready()
        with stack.client() as client:
            taken_up = client.runs().total  # what lies on the volume, in a database that is new
        run = stack.start_run(*SMALL)
        assert stack.finish(run)["state"] == "finished"
        docker("restart", stack.container("postgres"), stack.container("orchestrator"))
        stack.await_ready()
        assert stack.look_at(run)["state"] == "finished"
        with stack.client() as client:
            assert client.runs().total == taken_up + 1
    finally:
        stack.environment = sqlite
        stack.compose("up", "--detach", "--wait")
    recovers()
