"""First paint and transfer of the page, from the real server, nothing in the browser's cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser

from benchmarks.browser import browser
from benchmarks.framework import Benchmark, Once, Quantity, Setting, Values
from benchmarks.servers import served

_FIRST_PAINT = """() => new Promise((resolve) => {
  new PerformanceObserver((list) => {
    const found = list.getEntriesByName('first-contentful-paint');
    if (found.length) resolve(found[0].startTime);
  }).observe({ type: 'paint', buffered: true });
})"""


@contextmanager
def _prepared(setting: Setting) -> Iterator[Once]:
    with served() as there, browser() as chromium:
        yield lambda: _measured(chromium, there.address)


def _measured(chromium: Browser, address: str) -> Values:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    network = context.new_cdp_session(page)
    sizes: list[float] = []
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    network.send("Network.enable")
    page.goto(address)
    page.locator("h1").first.wait_for()
    page.wait_for_load_state("networkidle")
    first_paint_ms = page.evaluate(_FIRST_PAINT)
    context.close()
    return {
        "first_paint": first_paint_ms / 1000,
        "transfer": sum(sizes) / 1e6,
        "requests": len(sizes),
    }


BENCHMARK = Benchmark(
    name="page-load",
    text="the page from localhost, with an empty cache",
    quantities=(
        Quantity("first_paint", "first contentful paint", "s", at_most=1.0),
        Quantity("transfer", "transferred in all", "MB", at_most=2.0),
        Quantity("requests", "requests"),
    ),
    prepare=_prepared,
    repeats=9,
)
