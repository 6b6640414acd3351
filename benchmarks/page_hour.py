"""The page over an hour of a run: its memory, and whether it stays smooth.

Events are those of a real run of 2 x 1,000 neurons, as the real server sends them. A server of
invented runs sends an hour's worth of them as fast as the page takes them, their times moved on.
Then, with the hour behind it, the page gets them at the rate they have in truth, and its frames and
long tasks are counted.
"""

from __future__ import annotations

import copy
import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from playwright.sync_api import Browser, CDPSession, Page

from benchmarks.browser import browser
from benchmarks.framework import Benchmark, Once, Quantity, Setting, Values
from benchmarks.servers import experiment, served, until
from web.fake_runs import FakeRun
from web.fake_server import FakeServer

HOUR_S = 3600.0
EVERY_S = 0.25
"""Time between two events of data, and of progress, of a run that somebody watches."""

RECORDED = 40
"""Events of data taken from the real run, after which they begin again."""

BATCH = 40
RING = 4 * BATCH
WATCHED_S = 15.0
SETTLED = 0.1
"""Part of the hour after which every buffer of the page is full."""

_WATCH = """(ms) => new Promise((resolve) => {
  const long = [];
  const observer = new PerformanceObserver((list) => {
    long.push(...list.getEntries().map((entry) => entry.duration));
  });
  observer.observe({ type: 'longtask' });
  const began = performance.now();
  let frames = 0;
  const frame = () => {
    frames += 1;
    if (performance.now() - began < ms) requestAnimationFrame(frame);
    else resolve([frames, performance.now() - began, long]);
  };
  requestAnimationFrame(frame);
})"""


@dataclass(frozen=True)
class Recorded:
    """Events of a real run.

    Attributes:
        data: Bodies of events of data, in their order.
        progress: Body of an event of progress.
        step_ms: Simulated time from one event of data to the next.
    """

    data: list[dict[str, Any]]
    progress: dict[str, Any]
    step_ms: float

    def at(self, number: int) -> tuple[dict[str, Any], float]:
        """Returns the body of event ``number`` of an endless run, and its time in ms."""
        turn, index = divmod(number, len(self.data))
        return _moved(self.data[index], turn * len(self.data) * self.step_ms), self._end(number)

    def _end(self, number: int) -> float:
        return (number + 1) * self.step_ms


def _moved(body: dict[str, Any], by_ms: float) -> dict[str, Any]:
    """Adds to the time of every point."""
    body = copy.deepcopy(body)
    for curve in _curves(body):
        for point in curve:
            point[0] = round(point[0] + by_ms, 4)
    return body


def _curves(body: dict[str, Any]) -> list[list[list[float]]]:
    """Returns everything that has points in time: rates, states and spikes, if they are there."""
    rates = [curve for region in body["rates"].values() for curve in region.values()]
    return [*rates, *body["tvb"]["regions"].values(), *body["raster"].values()]


class Replayed(FakeRun):
    """A run whose events are told to it; it keeps the last ones only."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.count = 0
        self.ring: deque[str] = deque(maxlen=RING)

    def tick(self) -> None:
        """Does nothing by itself."""

    def publish(self, kind: str, data: dict[str, Any]) -> None:
        """Sends an event."""
        text = json.dumps(data, separators=(",", ":"))
        with self.changed:
            self.count += 1
            self.ring.append(f"id: {self.count}\nevent: {kind}\ndata: {text}\n\n")
            self.changed.notify_all()

    def frames(self, sent: int) -> list[str]:
        """Returns the events after the first ``sent``."""
        with self.changed:
            new = self.count - sent
            if new > len(self.ring):
                raise RuntimeError(f"{new - len(self.ring)} events were lost")
            return list(self.ring)[len(self.ring) - new :]

    def wait_for_event(self, sent: int) -> None:
        """Waits a moment for more."""
        with self.changed:
            self.changed.wait_for(lambda: self.count > sent, timeout=0.1)

    def pair(self, recorded: Recorded, number: int) -> None:
        """Sends an event of data and one of progress, as a run does."""
        body, now_ms = recorded.at(number)
        self.windows = min(self.total, number + 1)
        self.publish("data", body)
        told = {"windows": self.windows, "total": self.total, "simulated_ms": now_ms}
        self.publish("progress", {**recorded.progress, **told})


@dataclass
class Watched:
    """The page that shows the run.

    Attributes:
        page: The page.
        debugger: Asks the browser for its heap.
        heap: Mebibytes of living objects, by the number of the event.
    """

    page: Page
    debugger: CDPSession
    heap: dict[int, float] = field(default_factory=dict)

    def await_events(self, count: int) -> None:
        """Waits until the page has taken so many events."""
        until(lambda: self.page.evaluate("cosimStore.events") >= count, f"{count} events are taken")

    def weigh(self, number: int) -> None:
        """Notes the heap after a collection of garbage."""
        self.debugger.send("HeapProfiler.collectGarbage")
        self.heap[number] = self.debugger.send("Runtime.getHeapUsage")["usedSize"] / 2**20


@contextmanager
def _prepared(setting: Setting) -> Iterator[Once]:
    recorded = _recorded(setting)
    with browser() as chromium:
        yield lambda: _measured(chromium, recorded, setting)


def _recorded(setting: Setting) -> Recorded:
    """Takes events from a real run once it is under way."""
    text, overrides = experiment("hippocampus", setting)
    data: list[dict[str, Any]] = []
    progress: list[dict[str, Any]] = []
    with served() as there:
        run = there.client.create(text, [*overrides, "duration_ms=100000"]).id
        for event in there.client.events(run):
            if event.kind == "data":
                data.append(event.data)
            elif event.kind == "progress":
                progress.append(event.data)
            elif event.is_last:
                raise RuntimeError(f"the run {event.data['state']}: {event.data['cause']}")
            if len(data) > (RECORDED if not setting.is_tiny else 3):
                break
        there.end(run)
    ends = [max(point[0] for curve in _curves(body) for point in curve) for body in data]
    step_ms = (ends[-1] - ends[0]) / (len(data) - 1)
    return Recorded([_moved(body, -ends[0]) for body in data[1:]], progress[-1], step_ms)


def _measured(chromium: Browser, recorded: Recorded, setting: Setting) -> Values:
    pairs = int(HOUR_S / EVERY_S) if not setting.is_tiny else 4 * BATCH
    watched_s = WATCHED_S if not setting.is_tiny else 1.0
    duration_ms = (pairs + watched_s / EVERY_S) * recorded.step_ms
    with FakeServer() as server:
        run = Replayed(id="hour", name="hour", state="running", duration_ms=duration_ms)
        server.runs[run.id] = run
        context = chromium.new_context(viewport={"width": 1280, "height": 800})
        cookie = {"name": "cosim", "value": server.token, "url": server.address}
        context.add_cookies([cookie])  # type: ignore[list-item]
        page = context.new_page()
        page.goto(f"{server.address}#/runs/{run.id}")
        until(lambda: len(server.streams) > 0, "the page listens")
        watched = Watched(page, context.new_cdp_session(page))
        began_s = time.monotonic()
        _replay(run, recorded, watched, pairs)
        replay_s = time.monotonic() - began_s
        smooth = _at_true_rate(run, recorded, watched, pairs, watched_s)
        run.become("interrupted")
        context.close()
    _draw(watched.heap, setting.folder / "page-hour.svg")
    settled = next(mib for number, mib in watched.heap.items() if number >= SETTLED * pairs)
    sizes = [len(json.dumps(body, separators=(",", ":"))) for body in recorded.data]
    return {
        "event": sum(sizes) / len(sizes) / 1024,
        "speed-up": pairs * EVERY_S / replay_s,
        "heap": max(watched.heap.values()),
        "growth": watched.heap[pairs] / settled,
        **smooth,
    }


def _replay(run: Replayed, recorded: Recorded, watched: Watched, pairs: int) -> None:
    """Sends events as fast as the page takes them."""
    weigh_every = max(1, pairs // BATCH // 60) * BATCH
    for number in range(pairs):
        run.pair(recorded, number)
        if (number + 1) % BATCH == 0:
            watched.await_events(run.count - BATCH)
        if (number + 1) % weigh_every == 0 or number + 1 == pairs:
            watched.await_events(run.count)
            watched.weigh(number + 1)


def _at_true_rate(
    run: Replayed, recorded: Recorded, watched: Watched, start: int, seconds: float
) -> Values:
    """Sends events as a run does, from a thread, while frames are counted."""

    def send() -> None:
        for number in range(int(seconds / EVERY_S)):
            run.pair(recorded, start + number)
            time.sleep(EVERY_S)

    sender = threading.Thread(target=send)
    sender.start()
    frames, took_ms, long_ms = watched.page.evaluate(_WATCH, 1000 * seconds)
    sender.join()
    return {
        "frames": 1000 * frames / took_ms,
        "longest": max(long_ms, default=0.0),
        "long": 100 * sum(long_ms) / took_ms,
    }


def _draw(heap: dict[int, float], path: Path) -> None:
    """Draws the heap over the hour."""
    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot([number * EVERY_S / 60 for number in heap], list(heap.values()))
    axes.set(xlabel="time of the run (min)", ylabel="heap of the page (MiB)", ylim=(0, None))
    figure.savefig(path)


BENCHMARK = Benchmark(
    name="page-hour",
    text="the page of a run of 2 x 1,000 neurons, over an hour of events",
    quantities=(
        Quantity("event", "mean size of an event of data", "KiB"),
        Quantity("speed-up", "the hour replayed faster by a factor of"),
        Quantity("heap", "largest heap of the page", "MiB"),
        Quantity("growth", "heap after the hour by that after 6 min", at_most=1.1),
        Quantity("frames", "frames at the true rate", "1/s", at_least=30),
        Quantity("longest", "longest task at the true rate", "ms", at_most=100),
        Quantity("long", "time in tasks longer than 50 ms", "%", at_most=5),
    ),
    prepare=_prepared,
    repeats=3,
)
