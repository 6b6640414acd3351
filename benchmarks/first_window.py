"""Time from POST to the first window, with agents that wait."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from benchmarks.framework import Benchmark, Once, Quantity, Setting, Values
from benchmarks.servers import Served, experiment, served
from tvb_nest_cosim.cosim_core.client import LiveEvent
from tvb_nest_cosim.cosim_core.wire.protocol import LAUNCH_ORDER, peer_name

_PEERS = tuple(peer_name(role, 0) for role in LAUNCH_ORDER)


@contextmanager
def _prepared(setting: Setting) -> Iterator[Once]:
    with served() as there:
        yield lambda: _measured(there, setting)


def _measured(there: Served, setting: Setting) -> Values:
    text, overrides = experiment("quickstart", setting)
    there.settle()
    began_s = time.time()
    run = there.client.create(text, overrides).id
    values = {"answered": time.time() - began_s}
    for event in there.client.events(run):
        now_s = time.time() - began_s
        if event.kind == "log":
            values |= _phase(event, began_s)
        elif event.kind == "state" and event.data["state"] == "running":
            values["running"] = now_s
        elif event.kind == "progress" and event.data["windows"] >= 1:
            values["first_window"] = now_s
        elif event.is_last:
            raise RuntimeError(f"the run {event.data['state']}: {event.data['cause']}")
        if {"first_window", *(f"built {name}" for name in _PEERS)} <= values.keys():
            break
    there.end(run)
    return values


def _phase(event: LiveEvent, began_s: float) -> Values:
    """Reads from the orchestrator's log when a worker had come and when it had built."""
    name, _, what = event.data["message"].partition(" ")
    if event.data["participant"] != "orchestrator" or name not in _PEERS:
        return {}
    key = {"has come": "came", "has built its side": "built"}.get(what)
    at_s = datetime.fromisoformat(event.data["time"]).timestamp() - began_s
    return {f"{key} {name}": at_s} if key else {}


BENCHMARK = Benchmark(
    name="first-window",
    text="quickstart from POST to its first window, three agents waiting",
    quantities=(
        Quantity("answered", "POST answered", "s"),
        *(Quantity(f"came {name}", f"{name} greets", "s") for name in _PEERS),
        *(Quantity(f"built {name}", f"{name} has built", "s") for name in _PEERS),
        Quantity("running", "event: running", "s"),
        Quantity("first_window", "event: first window done", "s", at_most=5.0),
    ),
    prepare=_prepared,
    repeats=7,
)
