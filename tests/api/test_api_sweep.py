"""Sweeps whose points a server carries out."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import Mock

import pandas as pd
import pytest
import yaml
from rich.console import Console

from api.conftest import Served
from api.fake_ensemble import TINY, Gate
from sweep.sweeps import Tree, grid, write_sweep
from tvb_nest_cosim.cosim_core.client import Client, RunAnswer, RunPage, ServerRefusal
from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.orchestrator.store.models import RunState
from tvb_nest_cosim.orchestrator.sweep.campaign import Campaign, MakeExecutor
from tvb_nest_cosim.orchestrator.sweep.executor import Ended, Needs
from tvb_nest_cosim.orchestrator.sweep.folder import SweepLayout
from tvb_nest_cosim.orchestrator.sweep.remote_pool import RemotePool
from tvb_nest_cosim.orchestrator.sweep.row import remember_failed

pytestmark = pytest.mark.filterwarnings("ignore:The 'copy' argument in Quantity is deprecated")

SWEPT = grid(name=["one", "two", "three"])


def pool_of(served: Served, at_once: int | None = None) -> MakeExecutor:
    def make(layout: object, base: Path) -> RemotePool:
        client = Client(served.address, served.access.token)
        return RemotePool(layout, client, at_once, look_every_s=0.01)  # type: ignore[arg-type]

    return make


def campaign_of(folder: Path, design: Tree = SWEPT, base: Tree = TINY) -> Campaign:
    path = write_sweep(folder, design, base, statistics={"frequency_resolution_hz": 100})
    return Campaign.read(path, folder / "out")


def table(campaign: Campaign) -> pd.DataFrame:
    return pd.read_parquet(campaign.layout.parquet)


def test_a_server_carries_out_the_points(served: Served, tmp_path: Path) -> None:
    campaign = campaign_of(tmp_path)
    console = Console(quiet=True)
    assert campaign.run(console, pool_of(served), retry_failed=False) == 0
    frame = table(campaign)
    assert frame["outcome"].tolist() == ["finished"] * 3
    assert (frame["rate_hz.rHC.excitatory"] > 0).all()
    assert frame["point_s"].notna().all()
    runs = served.client.runs().items
    assert sorted(run.label for run in runs) == sorted(f"point {p.id}" for p in campaign.points)
    assert campaign.run(console, pool_of(served), retry_failed=False) == 0
    assert len(served.ensemble.started) == 3
    pd.testing.assert_frame_equal(table(campaign), frame)


def test_runs_that_a_killed_sweep_left_on_the_server_are_found(
    served: Served, tmp_path: Path
) -> None:
    campaign = campaign_of(tmp_path)
    for point in campaign.points[:2]:
        tree = point.experiment.model_dump(mode="json")
        served.client.wait(served.client.create(tree, label=f"point {point.id}").id)
    assert campaign.run(Console(quiet=True), pool_of(served), retry_failed=False) == 0
    assert len(served.ensemble.started) == 3
    assert table(campaign)["outcome"].tolist() == ["finished"] * 3


@pytest.mark.parametrize("state", RunState)
@pytest.mark.parametrize("is_noted", [False, True])
def test_a_run_of_before_counts_unless_it_has_no_result(
    state: RunState, is_noted: bool, tmp_path: Path
) -> None:
    """A failure is a result until it is noted; after that the point is due on demand alone."""
    campaign = campaign_of(tmp_path)
    point = campaign.points[0]
    campaign.layout.make()
    if is_noted:
        remember_failed(campaign.layout, point, "no luck")
    client = Mock(Client)
    client.create.return_value = RunAnswer.model_construct(id="new")
    old = RunAnswer.model_construct(id="old", label=f"point {point.id}", state=str(state))
    client.runs.return_value = RunPage(total=1, items=[old])
    pool = RemotePool(campaign.layout, client, 1)
    assert pool.take([(point, Needs(1, 0, 0))]) == [point]
    again = {RunState.INTERRUPTED, RunState.REFUSED} | ({RunState.FAILED} if is_noted else set())
    assert client.create.called == (state in again)


def test_a_failed_point_is_told_and_tried_again_on_demand(served: Served, tmp_path: Path) -> None:
    def fail() -> None:
        raise RuntimeError("no luck")

    served.ensemble.acts["two"] = fail
    campaign = campaign_of(tmp_path)
    assert campaign.run(Console(quiet=True), pool_of(served), retry_failed=False) == 1
    assert table(campaign)["outcome"].tolist() == ["finished", "failed", "finished"]
    assert table(campaign)["cause"][1].startswith("failed on the server: the server made a mistake")
    served.ensemble.acts.clear()
    assert campaign.run(Console(quiet=True), pool_of(served), retry_failed=False) == 1
    assert campaign.run(Console(quiet=True), pool_of(served), retry_failed=True) == 0
    assert len(served.ensemble.started) == 4


def test_faults_come_from_the_server(served: Served, tmp_path: Path) -> None:
    """It may know other connectomes than this machine, and refuses code from elsewhere."""
    design = grid(spiking__0__network__module=["mine:build"])
    with pytest.raises(ExperimentError, match="may not be named over the network"):
        campaign_of(tmp_path, design).run(Console(quiet=True), pool_of(served), retry_failed=False)
    assert served.client.runs().total == 0


@contextmanager
def interrupting(when: Callable[[], bool]) -> Iterator[None]:
    """Sends this process SIGINT, as Ctrl-C does, once something is true."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            if when():
                signal.raise_signal(signal.SIGINT)
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def test_ctrl_c_ends_the_runs_on_the_server(served: Served, tmp_path: Path) -> None:
    gate = Gate()
    served.ensemble.acts["one"] = gate
    campaign = campaign_of(tmp_path)

    def queued() -> bool:
        if not gate.reached.is_set() or served.client.runs(state="queued").total < 2:
            return False
        gate.open()
        return True

    served.ensemble.pace_s = 0.5
    with interrupting(queued):
        code = campaign.run(Console(quiet=True), pool_of(served), retry_failed=False)
    assert code == 130
    states = [run.state for run in served.client.runs().items]
    assert states.count("interrupted") >= 2
    assert served.ensemble.started == [served.client.runs().items[-1].id]
    assert "failed" not in table(campaign)["outcome"].tolist()


def test_a_run_that_was_deleted_failed(served: Served, tmp_path: Path) -> None:
    gate = Gate()
    served.ensemble.acts["one"] = gate

    class Deleting(RemotePool):
        def ended(self) -> list[Ended]:
            for run in served.client.runs(state="queued", search="two").items:
                served.client.delete(run.id)
                gate.open()
            return super().ended()

    def make(layout: object, base: Path) -> RemotePool:
        client = Client(served.address, served.access.token)
        return Deleting(layout, client, None, look_every_s=0.01)  # type: ignore[arg-type]

    campaign = campaign_of(tmp_path)
    assert campaign.run(Console(quiet=True), make, retry_failed=False) == 1
    assert table(campaign)["outcome"].tolist() == ["finished", "failed", "finished"]
    assert table(campaign)["cause"][1].endswith("was deleted on the server")


def test_a_server_that_is_away_is_awaited_for_a_while(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = campaign_of(tmp_path)
    away = iter([True] * 3)

    class Shaky(Client):
        def run(self, run: str) -> RunAnswer:
            if next(away, False):
                raise ServerRefusal(0, "the server cannot be reached: gone")
            return super().run(run)

    def make(layout: object, base: Path) -> RemotePool:
        client = Shaky(served.address, served.access.token)
        return RemotePool(layout, client, 1, look_every_s=0.01)  # type: ignore[arg-type]

    assert campaign.run(Console(quiet=True), make, retry_failed=False) == 0
    assert next(away, None) is None
    monkeypatch.setattr("tvb_nest_cosim.orchestrator.sweep.remote_pool.PATIENCE_S", 0.0)
    away = iter([True])
    assert yaml.safe_load(campaign.layout.sweep.read_text())["name"] == "tiny sweep"
    other = Campaign.read(tmp_path / "sweep.yaml", tmp_path / "other")
    served.client.delete(served.client.runs(search="one").items[0].id)
    with pytest.raises(ServerRefusal, match="cannot be reached"):
        other.run(Console(quiet=True), make, retry_failed=False)


class Hasty(Client):
    """Talks to a server whose runs count as finished before their results are complete.

    Attributes:
        lacks: How often results come without their manifest.
        cuts: How often a result file comes cut.
    """

    lacks = cuts = 0

    def fetch(self, run: str, folder: Path) -> list[Path]:
        paths = super().fetch(run, folder)
        if self.lacks:
            self.lacks -= 1
            (folder / "manifest.json").unlink()
        elif self.cuts:
            self.cuts -= 1
            path = folder / "tvb.nc"
            path.write_bytes(path.read_bytes()[:-9])
        return paths


@pytest.mark.parametrize(("lacks", "cuts"), [(2, 0), (0, 2), (1, 1)])
def test_results_that_come_incomplete_are_fetched_again(
    served: Served, tmp_path: Path, lacks: int, cuts: int
) -> None:
    client = Hasty(served.address, served.access.token)
    client.lacks, client.cuts = lacks, cuts
    campaign = campaign_of(tmp_path, grid(name=["one"]))

    def make(layout: SweepLayout, base: Path) -> RemotePool:
        return RemotePool(layout, client, 1, look_every_s=0.01)

    assert campaign.run(Console(quiet=True), make, retry_failed=False) == 0
    assert (client.lacks, client.cuts) == (0, 0)
    assert table(campaign)["tvb_mean_hz"].notna().all()
    assert len(served.ensemble.started) == 1


def test_results_that_never_come_complete_fail_their_point_and_leave_no_run(
    served: Served, tmp_path: Path
) -> None:
    client = Hasty(served.address, served.access.token)
    client.lacks = 1000
    campaign = campaign_of(tmp_path, grid(name=["one"]))

    def make(layout: SweepLayout, base: Path) -> RemotePool:
        return RemotePool(layout, client, 1, look_every_s=0.001)

    assert campaign.run(Console(quiet=True), make, retry_failed=False) == 1
    (cause,) = table(campaign)["cause"]
    assert "has finished, but 8 times its results came incomplete: manifest.json is miss" in cause
    assert not campaign.layout.run(campaign.points[0].id).exists()
