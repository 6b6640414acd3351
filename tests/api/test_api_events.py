"""Live events: complete, in order, resumable, and bounded whatever clients do."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from typing import Any

import httpx

from api.conftest import Served
from api.fake_ensemble import TINY, Gate
from tvb_nest_cosim.cosim_core.client import PREFIX, EventParser, options
from tvb_nest_cosim.orchestrator.server.live.hub import KEPT_RUNS, RING_EVENTS, WAITING_EVENTS, Hub
from tvb_nest_cosim.orchestrator.server.live.tail import NEURONS, SPIKES

LONG = {**TINY, "name": "long", "duration_ms": 4000.0}


def test_watching_a_run_from_queue_to_end(served: Served) -> None:
    served.ensemble.pace_s = 0.02
    gate = Gate()
    served.ensemble.acts["tiny"] = gate
    run = served.client.create({**TINY, "duration_ms": 200.0}).id
    assert gate.reached.wait(30)
    events = []
    for event in served.client.events(run):
        events.append(event)
        gate.open()
    states = [event.data["state"] for event in events if event.kind == "state"]
    assert list(dict.fromkeys(states)) == ["building", "running", "finishing", "finished"]
    progress = [event.data for event in events if event.kind == "progress"]
    assert [p["windows"] for p in progress] == sorted(p["windows"] for p in progress)
    last = progress[-1]
    assert last["windows"] == last["total"]
    assert last["simulated_ms"] == 200.0
    assert last["eta_s"] == 0.0
    assert {peer["name"] for peer in last["peers"]} == {"tvb-0", "nest-0", "translator-0"}
    logs = [event.data for event in events if event.kind == "log"]
    assert {"orchestrator", "nest-0"} <= {line["participant"] for line in logs}
    assert events[-1].id == "end"


def test_data_is_what_is_new_and_no_more_than_plots_need(served: Served) -> None:
    served.ensemble.pace_s = 0.01
    run = served.client.create(LONG).id
    data: list[dict[str, Any]] = []
    for event in served.client.events(run):
        if event.kind != "data":
            continue
        data.append(event.data)
        if len(data) == 6:
            served.client.abort(run)
    times: list[float] = []
    for entry in data:
        assert set(entry["rates"]["rHC"]) == {"excitatory", "inhibitory"}
        times += [t for t, _ in entry["rates"]["rHC"]["excitatory"]]
        assert entry["tvb"]["variable"] == "E"
        for region, spikes in entry["raster"].items():
            assert region in ("rHC", "lHC")
            assert len(spikes) <= SPIKES
            assert len({neuron for _, neuron in spikes}) <= NEURONS
    assert times == sorted(times)
    assert len(set(times)) == len(times)


def test_client_that_comes_back_misses_nothing(served: Served) -> None:
    served.ensemble.pace_s = 0.01
    run = served.client.create(LONG).id
    client = served.client
    first = list(itertools.islice(client._stream(run, None), 12))
    second = list(itertools.islice(client._stream(run, first[-1].id), 12))
    client.abort(run)
    numbers = [int(e.id.split("-")[1]) for e in (*first[1:], *second[1:]) if "-" in e.id]
    assert second[0].kind == "state"
    assert numbers[-1] > numbers[0]
    resumed = [n for n in numbers if n > int(first[-1].id.split("-")[1])]
    assert resumed == list(range(resumed[0], resumed[0] + len(resumed)))
    assert resumed[0] == int(first[-1].id.split("-")[1]) + 1


def test_stream_of_an_ended_run_tells_its_end_once(served: Served) -> None:
    run = served.client.create(TINY).id
    served.client.wait(run)
    events = list(served.client.events(run))
    assert (events[-1].kind, events[-1].data["state"]) == ("state", "finished")
    again = served.client._http.get(
        f"/api/v1/runs/{run}/events", headers={"Last-Event-ID": events[-1].id}
    )
    assert again.status_code == 204


def test_nobody_reads_journals_unless_somebody_listens(served: Served) -> None:
    served.ensemble.pace_s = 0.005
    run = served.client.create(LONG).id
    served.until(run, "running")
    live = served.service.queue.live(run)
    assert live is not None
    assert live._looked_s == 0.0
    stream = served.client._stream(run, None)
    for event in stream:
        if event.kind == "data":
            break
    assert live._looked_s > 0.0
    stream.close()
    served.client.abort(run)


def test_fifty_clients_list_and_watch_while_a_run_goes_on(served: Served) -> None:
    served.ensemble.pace_s = 0.01
    run = served.client.create({**TINY, "duration_ms": 300.0}).id

    async def one(http: httpx.AsyncClient, number: int) -> tuple[str, int]:
        if number % 2:
            listed = 0
            while (await http.get(f"/runs/{run}")).json()["state"] not in ("finished", "failed"):
                listed += (await http.get("/runs")).json()["total"]
                await asyncio.sleep(0.1)
            return "finished", listed
        parser = EventParser()
        async with http.stream("GET", f"/runs/{run}/events") as response:
            found = [parser.feed(line) async for line in response.aiter_lines()]
        events = [event for event in found if event is not None]
        return str(events[-1].data["state"]), len(events)

    async def everybody() -> list[tuple[str, int]]:
        known = options(f"{served.address}{PREFIX}", served.access.token)
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(**known, limits=limits) as http:
            return await asyncio.gather(*(one(http, number) for number in range(50)))

    ended = asyncio.run(everybody())
    assert [state for state, _ in ended] == ["finished"] * 50
    assert all(count > 0 for _, count in ended)
    assert served.service.hub.listeners() == 0


def test_slow_client_is_sent_away_with_a_note_and_bounded_memory() -> None:
    async def play() -> None:
        hub = Hub()
        slow = hub.listen("a", None)
        thread = threading.Thread(
            target=lambda: [hub.publish("a", "data", {"n": n}) for n in range(5000)]
        )
        thread.start()
        await asyncio.to_thread(thread.join)
        await asyncio.sleep(0)
        assert slow._waiting.qsize() <= WAITING_EVENTS
        event = await slow.next(1)
        assert event is not None
        assert event.kind == "dropped"
        assert "too slowly" in json.loads(event.data)["message"]
        assert await slow.next(1) is None
        back = hub.listen("a", event.id)
        assert len(back.missed) <= RING_EVENTS
        hub.leave("a", slow)
        hub.leave("a", back)

    asyncio.run(play())


def test_rings_of_old_runs_are_forgotten() -> None:
    hub = Hub()
    for number in range(100):
        hub.publish(str(number), "state", {"state": "queued"})
    assert len(hub._channels) <= KEPT_RUNS + 1


def test_identity_of_another_server_is_not_taken_for_ones_own() -> None:
    async def play() -> None:
        before, after = Hub(), Hub()
        for number in range(3):
            before.publish("a", "log", {"n": number})
            after.publish("a", "log", {"n": number})
        foreign = before.listen("a", None).missed[-1].id
        assert len(after.listen("a", foreign).missed) == 3
        own = after.listen("a", None).missed[1].id
        assert [json.loads(e.data)["n"] for e in after.listen("a", own).missed] == [2]

    asyncio.run(play())


def test_closing_sends_everybody_away() -> None:
    async def play() -> None:
        hub = Hub()
        listener = hub.listen("a", None)
        hub.close()
        assert await listener.next(1) is None
        assert await hub.listen("b", None).next(1) is None

    asyncio.run(play())


def test_event_parser_reads_what_the_specification_allows() -> None:
    parser = EventParser()
    lines = [": comment", "", "id: 1", "event: log", 'data: {"a": 1}', "", "data:{}", ""]
    events = [event for line in lines if (event := parser.feed(line)) is not None]
    assert [(e.id, e.kind, e.data) for e in events] == [("1", "log", {"a": 1}), ("", "message", {})]
