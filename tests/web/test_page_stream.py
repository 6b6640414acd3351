"""Lost connections and long runs: the page goes on, and its memory stays bounded."""

from __future__ import annotations

import json
import math

from web.conftest import Visitor, until


def test_a_lost_stream_is_taken_up_where_it_ended(visitor: Visitor) -> None:
    run = visitor.server.add(duration_ms=60_000.0, per_tick=2)
    page = visitor.sign_in(f"#/runs/{run.id}")
    page.locator("#stream").get_by_text("live").wait_for()
    until(lambda: visitor.windows > 10, "the run goes on")
    visitor.server.drops += 1
    until(lambda: len(visitor.server.streams) > 1, "the page comes back")
    assert int(visitor.server.streams[1]) > 0, "it names the last event it has seen"
    before = visitor.windows
    until(lambda: visitor.windows > before, "windows are counted again")
    gaps = """() => {
      const curve = cosimStore.rates.get('rHC').get('excitatory').recent;
      const gap = (_, i) => curve.t[curve.at(i + 1)] - curve.t[curve.at(i)];
      return Math.max(...Array.from({ length: curve.length - 1 }, gap));
    }"""
    assert page.evaluate(gaps) < 2, "no sample was lost"


def test_a_server_that_is_down_is_seen_and_waited_for(visitor: Visitor) -> None:
    visitor.expects_refusals = True
    run = visitor.server.add(duration_ms=60_000.0, per_tick=2)
    page = visitor.sign_in(f"#/runs/{run.id}")
    visitor.state("running")
    visitor.server.is_down = True
    visitor.server.drops += 1
    page.locator("#stream").get_by_text("connection lost, trying again").wait_for()
    # Nobody is asked again and again without a pause.
    tries = sum("/events" in url for url in visitor.requests)
    page.wait_for_timeout(1200)
    assert sum("/events" in url for url in visitor.requests) - tries <= 3
    visitor.server.is_down = False
    page.locator("#stream").get_by_text("live").wait_for()


def test_memory_stays_bounded_however_long_the_run(visitor: Visitor) -> None:
    run = visitor.server.add(state="running", duration_ms=3_600_000.0, per_tick=0)
    run.goal = 0
    page = visitor.sign_in(f"#/runs/{run.id}")
    page.locator("#stream").get_by_text("live").wait_for()
    flood = [
        ("data", {"rates": {"rHC": {"excitatory": [[t, 5 + math.sin(t / 900)] for t in times]}},
                  "tvb": {"variable": "E", "regions": {"rHC": [[t, 0.01] for t in times]}},
                  "raster": {"rHC": [[t, int(t) % 500] for t in times]}})
        for start in range(0, 180_000, 18)
        for times in [[start + 3 * k for k in range(1, 7)]]
    ]  # fmt: skip
    logs = [("log", {"time": "", "level": "info", "participant": "nest-0", "message": f"line {i}"})
            for i in range(10_000)]  # fmt: skip
    frames = [
        f"id: {i}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"
        for i, pair in enumerate(zip(flood, logs, strict=True))
        for kind, data in pair
    ]
    with run.changed:
        run.events += frames
        run.changed.notify_all()
    until(lambda: page.evaluate("cosimStore.events") >= 20_000, "all events have come", 40)
    # Two curves of at most 2048 + 4096 points, a raster of 30000, 1000 lines.
    assert page.evaluate("cosimStore.kept") <= 2 * (2048 + 4096) + 30_000 + 1000
    curve = "cosimStore.rates.get('rHC').get('excitatory')"
    assert page.evaluate(f"{curve}.overview.length") > 1000, "and the whole run is still seen"
    assert page.evaluate(f"{curve}.overview.t[0]") < 200
    assert page.evaluate(f"{curve}.lastT") == 180_000
    assert page.locator(".log-line").count() <= 250
    assert "line 9999" in page.locator(".log").inner_text()
    page.get_by_text("The last 1000 lines are kept").wait_for()


def test_merged_points_keep_mean_and_range(visitor: Visitor) -> None:
    page = visitor.sign_in("#/runs")
    low, high, mean, length = page.evaluate("""async () => {
      const { Overview } = await import('/js/series.js');
      const curve = new Overview(64);
      for (let i = 0; i < 64 * 64; i += 1) curve.push(i, i % 2 ? 10 : 0);
      const n = curve.length;
      return [Math.min(...curve.low.slice(0, n)), Math.max(...curve.high.slice(0, n)),
              curve.mean.slice(0, n).reduce((a, b) => a + b) / n, n];
    }""")
    assert (low, high, mean) == (0, 10, 5)
    assert 32 <= length <= 64


def test_events_are_found_wherever_the_network_cuts_them(visitor: Visitor) -> None:
    page = visitor.sign_in("#/runs")
    text = ': hi\nid: 7\nevent: log\ndata: {"a":\ndata: 1}\n\r\ndata: 2\r\n\r\nevent: x\n\n'
    found = page.evaluate("""async (text) => {
      const { EventParser } = await import('/js/stream.js');
      return [1, 2, 5, 1000].map((size) => {
        const parser = new EventParser();
        const events = [];
        for (let at = 0; at < text.length; at += size) {
          events.push(...parser.feed(text.slice(at, at + size)));
        }
        return events;
      });
    }""", text)  # fmt: skip
    wanted = [
        {"type": "log", "data": '{"a":\n1}', "id": "7"},
        {"type": "message", "data": "2", "id": "7"},
    ]
    assert found == [wanted] * 4
