"""Runs from the queue to their results, and everything one may ask of them meanwhile."""

from __future__ import annotations

import json
import re
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from api.conftest import Served
from api.fake_ensemble import TINY, Gate
from tvb_nest_cosim.cosim_core.client import RunPage, ServerRefusal
from tvb_nest_cosim.cosim_core.errors import CosimError, ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.experiment import Experiment
from tvb_nest_cosim.cosim_core.results import digest
from tvb_nest_cosim.cosim_core.run_dir.records import RunRecords
from tvb_nest_cosim.orchestrator.planning.plan import Planned, plan_run
from tvb_nest_cosim.orchestrator.run import runner
from tvb_nest_cosim.orchestrator.server.security import admission
from tvb_nest_cosim.orchestrator.store import RunState


def named(name: str, **changes: Any) -> dict[str, Any]:
    return {**TINY, "name": name, **changes}


def test_run_goes_from_queue_to_results(served: Served, tmp_path: Path) -> None:
    run = served.client.create(TINY, label="first")
    assert (run.state, run.label, run.name) == ("queued", "first", "tiny")
    done = served.client.wait(run.id)
    assert done.state == "finished"
    assert done.windows == done.windows_total > 1
    assert done.duration_ms == 20.0
    assert done.wall_s == 0.5
    assert done.faults == []
    assert done.created <= done.started <= done.ended
    assert done.digest == digest(served.service.settings.runs / run.id)
    fetched = served.client.fetch(run.id, tmp_path / "got")
    names = {path.name for path in fetched}
    assert {"experiment.yaml", "spikes.h5", "tvb.nc", "rates.nc", "rates.svg"} <= names
    assert not any(name.endswith(".journal") for name in names)
    with h5py.File(tmp_path / "got" / "spikes.h5") as file:
        assert len(file["spikes"]) == 4


def test_yaml_and_overrides_make_the_same_experiment_as_a_tree(served: Served) -> None:
    text = "name: a\nadex: {neurons: 50}\nspiking: [{regions: [rHC]}]\n"
    run = served.client.create(text, ["duration_ms=30", "spiking.0.regions=[lHC]"])
    tree = {
        "name": "a", "adex": {"neurons": 50}, "spiking": [{"regions": ["lHC"]}], "duration_ms": 30,
    }  # fmt: skip
    other = served.client.create(tree)
    yaml = [served.client._http.get(f"/api/v1/runs/{r.id}/experiment").text for r in (run, other)]
    assert yaml[0] == yaml[1]
    assert "duration_ms: 30" in yaml[0]
    for created in (run, other):
        served.client.wait(created.id)


def test_queue_keeps_its_order_and_runs_one_at_a_time(served: Served) -> None:
    gate = Gate()
    served.ensemble.acts["first"] = gate
    runs = [served.client.create(named(name)).id for name in ("first", "second", "third")]
    assert gate.reached.wait(30)
    states = [served.client.run(run).state for run in runs]
    assert states == ["building", "queued", "queued"]
    gate.open()
    for run in runs:
        assert served.until(run, "finished")
    assert served.ensemble.started == runs


def test_pause_step_resume(served: Served) -> None:
    served.ensemble.pace_s = 0.005
    run = served.client.create(named("long", duration_ms=3000.0)).id
    served.until(run, "running")
    assert served.client.pause(run).state == "paused"
    halted = _standstill(served, run)
    served.client.step(run, 3)
    assert _standstill(served, run) == halted + 3
    with pytest.raises(ServerRefusal, match="is paused; this needs it to be running"):
        served.client.pause(run)
    assert served.client.resume(run).state == "running"
    while served.client.run(run).windows <= halted + 3:
        pass
    served.client.stop(run)
    done = served.until(run, "interrupted")
    assert done.cause == "stopped by the user"
    assert halted + 3 < done.windows < done.windows_total
    assert done.digest


def _standstill(served: Served, run: str) -> int:
    """Waits until the windows of a run no longer change."""
    served.ensemble.pace_s = 0.0
    for event in served.client.events(run):
        if event.kind == "progress":
            peers = {peer["windows"] for peer in event.data["peers"]}
            live = served.service.queue.live(run)
            assert live is not None
            horizon = event.data["windows"]
            if peers == {horizon} and _is_still(served, run, horizon):
                return int(horizon)
    raise AssertionError("the run has ended")


def _is_still(served: Served, run: str, windows: int) -> bool:
    import time

    time.sleep(0.6)
    return bool(served.client.run(run).windows == windows)


def test_stop_takes_a_waiting_run_out_of_the_queue(served: Served) -> None:
    gate = Gate()
    served.ensemble.acts["first"] = gate
    first, second = (served.client.create(named(name)).id for name in ("first", "second"))
    assert gate.reached.wait(30)
    stopped = served.client.stop(second)
    assert (stopped.state, stopped.cause) == ("interrupted", "stopped before it began")
    with pytest.raises(ServerRefusal, match="is being carried out; stop it first"):
        served.client.delete(first)
    gate.open()
    served.until(first, "finished")
    assert served.ensemble.started == [first]


def test_a_run_that_computed_nothing_has_no_digest(served: Served) -> None:
    gate = Gate()
    served.ensemble.acts["first"] = gate
    run = served.client.create(named("first")).id
    assert gate.reached.wait(30)
    served.client.abort(run)
    gate.open()
    done = served.until(run, "interrupted")
    assert (done.windows, done.digest) == (0, None)


def test_abort_ends_a_paused_run(served: Served) -> None:
    served.ensemble.pace_s = 0.005
    run = served.client.create(named("long", duration_ms=3000.0)).id
    served.until(run, "running")
    served.client.pause(run)
    served.client.abort(run)
    assert served.until(run, "interrupted").cause == "stopped by the user"


def test_run_is_finishing_while_its_results_are_made(served: Served) -> None:
    gate = Gate()
    served.ensemble.ends["tiny"] = gate
    run = served.client.create(TINY).id
    assert gate.reached.wait(30)
    found = served.client.run(run)
    assert (found.state, found.windows) == ("finishing", found.windows_total)
    assert [r.id for r in served.client.runs(state="finishing").items] == [run]
    for command in ("pause", "stop", "abort"):
        with pytest.raises(ServerRefusal, match="is finishing; this needs") as refusal:
            getattr(served.client, command)(run)
        assert refusal.value.status == 409
    with pytest.raises(ServerRefusal, match="is being carried out"):
        served.client.delete(run)
    gate.open()
    served.until(run, "finished")


def test_end_of_a_run_is_noted_as_soon_as_the_database_is_back(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, is_back, tried = served.service.store, Gate(), Gate()
    change = store.change

    def reluctant(run: str, **values: Any) -> None:
        if "ended" in values and not is_back.is_open:
            tried.reached.set()
            raise OSError("database or disk is full")
        change(run, **values)

    monkeypatch.setattr(store, "change", reluctant)
    run = served.client.create(TINY).id
    assert tried.reached.wait(30)
    assert served.client.run(run).state == "finishing"
    is_back.open()
    assert served.until(run, "finished").digest
    assert served.until(served.client.create(TINY).id, "finished")


def test_stopped_run_tells_its_cause_while_it_finishes(served: Served) -> None:
    gate = Gate()
    served.ensemble.ends["tiny"] = gate
    run = served.client.create({**TINY, "duration_ms": 4000.0}).id
    served.until(run, "running")
    served.client.stop(run)
    assert gate.reached.wait(30)
    found = served.client.run(run)
    assert (found.state, found.cause) == ("finishing", "stopped by the user")
    gate.open()
    assert served.until(run, "interrupted").cause == "stopped by the user"


@pytest.mark.parametrize("is_written", [True, False])
def test_run_that_was_finishing_when_the_server_was_killed_ends_honestly(
    start: Any,
    settings: Any,
    ensemble: Any,
    monkeypatch: pytest.MonkeyPatch,
    is_written: bool,
) -> None:
    # Figures take ten seconds.
    monkeypatch.setattr(runner, "_draw", lambda root, **_: root)
    with start(settings, ensemble) as served:
        run = served.client.create(TINY).id
        before = served.client.wait(run)
        # What a kill in the middle of the results leaves: the provenance, if it was written yet.
        provenance = served.service.settings.runs / run / "provenance.json"
        known = json.loads(provenance.read_text())
        told = {"outcome": "finished", "cause": None, "digest": before.digest}
        provenance.write_text(json.dumps({**known, **told} if is_written else {}))
        provenance.with_name("manifest.json").unlink()
        nothing = {"digest": None, "ended": None, "wall_s": None, "windows": 0}
        served.service.store.change(run, state=RunState.FINISHING, **nothing)
    with start(settings, ensemble) as served:
        after = served.until(run, "finished" if is_written else "interrupted")
        if is_written:
            names = {"digest", "windows", "wall_s", "cause"}
            assert after.model_dump(include=names) == before.model_dump(include=names)
        else:
            assert after.cause.startswith("the server ended while this run was going on")


@pytest.mark.parametrize("command", ["pause", "resume", "stop", "abort"])
def test_commands_to_a_run_that_has_ended_are_refused(served: Served, command: str) -> None:
    run = served.client.create(TINY).id
    served.client.wait(run)
    with pytest.raises(ServerRefusal, match=f"run {run} is finished; this needs") as refusal:
        getattr(served.client, command)(run)
    assert refusal.value.status == 409


def test_delete_removes_row_and_directory(served: Served) -> None:
    run = served.client.create(TINY).id
    served.client.wait(run)
    root = served.service.settings.runs / run
    assert root.is_dir()
    served.client.delete(run)
    assert not root.exists()
    with pytest.raises(ServerRefusal, match="there is no run") as refusal:
        served.client.run(run)
    assert refusal.value.status == 404


def test_participants_that_refuse_leave_a_refused_run_with_faults(served: Served) -> None:
    def refuse() -> None:
        raise ExperimentError([Fault("tvb.model", "bad", "trace"), Fault("spiking.0", "worse")])

    served.ensemble.acts["tiny"] = refuse
    run = served.client.create(TINY).id
    done = served.client.wait(run)
    assert done.state == "refused"
    assert [fault.fault for fault in done.faults] == [
        Fault("tvb.model", "bad", "trace"),
        Fault("spiking.0", "worse"),
    ]


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (CosimError("the disk is full"), "the disk is full"),
        (RuntimeError("secret"), "the server made a mistake, its log tells more: RuntimeError"),
    ],
)
def test_whatever_happens_to_one_run_the_next_gets_its_turn(
    served: Served, error: Exception, cause: str
) -> None:
    def fail() -> None:
        raise error

    served.ensemble.acts["bad"] = fail
    bad, good = (served.client.create(named(name)).id for name in ("bad", "good"))
    assert served.until(good, "finished")
    failed = served.client.run(bad)
    assert (failed.state, failed.cause) == ("failed", cause)


def test_list_filters_searches_and_pages(served: Served) -> None:
    names = ["one", "two", "50%_x"]
    runs = [served.client.create(named(name), label=f"L {name}").id for name in names]
    for run in runs:
        served.until(run, "finished")
    everything = served.client.runs()
    assert [item.id for item in everything.items] == runs[::-1]
    assert served.client.runs(state="queued") == RunPage(total=0, items=[])
    assert [r.name for r in served.client.runs(search="TWO").items] == ["two"]
    assert [r.name for r in served.client.runs(search="%_").items] == ["50%_x"]
    page = served.client.runs(limit=1, offset=1)
    assert (page.total, page.items[0].id) == (3, runs[1])


def test_full_queue_is_refused(start: Any, settings: Any, ensemble: Any) -> None:
    gate = Gate()
    ensemble.acts["first"] = gate
    with start(settings.model_copy(update={"max_queued": 1}), ensemble) as served:
        served.client.create(named("first"))
        assert gate.reached.wait(30)
        served.client.create(TINY)
        with pytest.raises(ServerRefusal, match="1 runs wait already") as refusal:
            served.client.create(TINY)
        assert refusal.value.status == 503
        gate.open()


def test_curves_of_a_finished_run_are_those_of_its_files(served: Served) -> None:
    run = served.client.create(named("curves", duration_ms=60.0)).id
    served.client.wait(run)
    whole = served.client.series(run, "rates", max_points=20000)["rates"]
    assert set(whole) == {"rHC", "lHC"}
    assert set(whole["rHC"]) == {"excitatory", "inhibitory"}
    curve = np.array(whole["rHC"]["excitatory"])
    assert curve.shape == (600, 2)
    assert curve[-1, 0] == 60.0
    few = np.array(served.client.series(run, "rates", max_points=60)["rates"]["rHC"]["excitatory"])
    assert few.shape == (60, 2)
    np.testing.assert_allclose(few[:, 1], curve[:, 1].reshape(60, 10).mean(axis=1), rtol=1e-5)
    one = served.client.series(run, "tvb", regions="lHC,rA1,nowhere")["tvb"]
    assert (one["variable"], one["unit"], set(one["regions"])) == ("E", "Hz", {"lHC", "rA1"})
    assert set(served.client.series(run, "input", max_points=10)["input"]) == {"rHC", "lHC"}


def test_raster_timing_and_connectome(served: Served) -> None:
    run = served.client.create(named("raster", duration_ms=60.0)).id
    served.client.wait(run)
    get = served.client._http.get
    part = get(f"/api/v1/runs/{run}/raster", params={"from_ms": 10, "to_ms": 30}).json()
    times, neurons = np.array(part["raster"]["rHC"]).T
    assert part["totals"]["rHC"] == len(times) > 3
    assert times.min() > 10.0
    assert times.max() <= 30.0
    assert neurons.max() >= 80
    assert part["populations"]["rHC"] == {"excitatory": 80, "inhibitory": 20}
    silent = get(f"/api/v1/runs/{run}/raster", params={"to_ms": 0}).json()
    assert silent["populations"] == part["populations"], "known before the first spike"
    few = get(f"/api/v1/runs/{run}/raster", params={"max_points": 5}).json()
    assert len(few["raster"]["rHC"]) <= 5
    timing = get(f"/api/v1/runs/{run}/timing", params={"max_points": 2}).json()
    assert set(timing["participants"]) == {"tvb-0", "nest-0", "translator-0"}
    assert len(timing["participants"]["tvb-0"]["advance"]) == 2
    assert sum(timing["participants"]["tvb-0"]["counts"]) == served.client.run(run).windows
    brain = get(f"/api/v1/runs/{run}/connectome").json()
    assert [brain["labels"][index] for index in brain["spiking"]] == ["rHC", "lHC"]
    assert np.shape(brain["weights"]) == (76, 76)
    assert np.shape(brain["centres"]) == (76, 3)


def test_curves_and_sizes_of_a_run_that_goes_on_are_those_of_its_results(served: Served) -> None:
    served.ensemble.silent = {"lHC"}
    run = served.client.create(named("going", duration_ms=4000.0)).id
    while (now := served.client.run(run)).windows < 20:
        assert now.state in ("queued", "building", "running")
    get = served.client._http.get
    going = served.client.series(run, "tvb", regions="rA1", max_points=20_000)["tvb"]
    sizes = get(f"/api/v1/runs/{run}/raster", params={"to_ms": 0}).json()["populations"]
    served.client.stop(run)
    served.client.wait(run)
    ended = served.client.series(run, "tvb", regions="rA1", max_points=20_000)["tvb"]
    assert (going["variable"], going["unit"]) == (ended["variable"], ended["unit"]) == ("E", "Hz")
    curve = going["regions"]["rA1"]
    assert len(curve) > 3
    np.testing.assert_allclose(curve, ended["regions"]["rA1"][: len(curve)], rtol=1e-5)
    assert sizes == {name: {"excitatory": 80, "inhibitory": 20} for name in ("rHC", "lHC")}


def test_a_run_is_planned_once_and_its_plan_file_is_its_own(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned: list[str] = []

    def counted(experiment: Experiment, base_dir: Path, run_dir: Path) -> Planned:
        planned.append(run_dir.name)
        return plan_run(experiment, base_dir, run_dir)

    monkeypatch.setattr(admission, "plan_run", counted)
    gate = served.ensemble.ends["tiny"] = Gate()
    run = served.client.create(TINY).id
    assert gate.reached.wait(30)
    root = served.service.settings.runs / run
    assert RunRecords.open(root).plan.connectome_path == str(root / "connectome.zip")
    gate.open()
    assert served.client.wait(run).state == "finished"
    assert planned == [run]


def test_a_run_that_can_no_longer_be_carried_out_is_refused_at_its_turn(served: Served) -> None:
    earlier = served.client.create(TINY).id
    served.client.wait(earlier)
    gate = served.ensemble.ends["tiny"] = Gate()
    served.client.create(TINY)
    assert gate.reached.wait(30)
    stand_in = {"kind": "journal", "run": earlier}
    waiting = served.client.create(named("alone", simulators="nest", stand_in=stand_in)).id
    served.client.delete(earlier)
    gate.open()
    refused = served.client.wait(waiting)
    assert refused.state == "refused"
    assert refused.faults[0].message == f"there is no run directory runs/{earlier}"


def test_archive_holds_files_and_figures_and_leaves_nothing(served: Served) -> None:
    run = served.client.create(TINY).id
    served.client.wait(run)
    content = served.client._http.get(f"/api/v1/runs/{run}/archive.zip").content
    with zipfile.ZipFile(BytesIO(content)) as archive:
        assert f"{run}/figures/rates.svg" in archive.namelist()
        assert f"{run}/spikes.h5" in archive.namelist()
        assert not any("journal" in name for name in archive.namelist())
    assert list((served.service.settings.home / "tmp").iterdir()) == []


def test_results_of_a_run_that_has_none_are_not_found(served: Served) -> None:
    gate = Gate()
    served.ensemble.acts["tiny"] = gate
    run = served.client.create(TINY).id
    assert gate.reached.wait(30)
    for path in ("series", "raster", "archive.zip", "report.html", "files/spikes.h5"):
        assert served.client._http.get(f"/api/v1/runs/{run}/{path}").status_code == 404, path
    assert served.client.files(run) == []
    gate.open()


def test_examples_schema_ensemble_health_and_metrics(served: Served) -> None:
    get = served.client._http.get
    examples = {item["name"]: item for item in get("/api/v1/experiments").json()["items"]}
    assert "76 regions" in examples["quickstart"]["description"]
    assert "duration_ms: 1000" in get("/api/v1/experiments/quickstart").text
    assert get("/api/v1/experiments/none").status_code == 404
    assert "duration_ms" in get("/api/v1/schema").json()["properties"]
    assert get("/api/v1/ensemble").json()["agents"][0]["role"] == "nest"
    assert get("/readyz").text == "ready\n"
    run = served.client.create(TINY).id
    served.client.wait(run)
    assert re.search(r'cosim_runs\{state="finished"\} 1', get("/metrics").text)


def test_shipped_experiment_with_a_file_can_be_sent(served: Served) -> None:
    text = served.client._http.get("/api/v1/experiments/against_file").text
    verdict = served.client.validate(text)
    assert verdict.valid, verdict.faults


def test_run_on_the_journal_of_an_earlier_run_of_this_server(served: Served) -> None:
    earlier = served.client.create(TINY).id
    served.client.wait(earlier)
    alone = named("alone", simulators="nest", stand_in={"kind": "journal", "run": earlier})
    assert served.client.validate(alone).faults == []
    missing = named("alone", simulators="nest", stand_in={"kind": "journal", "run": "nothing"})
    assert served.client.validate(missing).faults[0].path == "stand_in.run"
