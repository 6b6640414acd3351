"""The page before the real server: a tiny run with TVB and NEST, from the click to the figures."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from conftest import COSIM
from web.conftest import Visitor, until

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BUILD_S = 120


@dataclass
class RealServer:
    """Where ``cosim serve`` listens."""

    signed_in: str

    @property
    def address(self) -> str:
        return self.signed_in.split("?")[0]


@contextmanager
def serving(home: Path, *options: str, port: int = 0) -> Iterator[RealServer]:
    """Runs ``cosim serve`` in a process of its own."""
    pytest.importorskip("fastapi", reason="the extra for the service is not installed")
    where = ["--port", str(port), "--data", str(home)]
    command = [*COSIM, "serve", *where, *options]
    home.mkdir(exist_ok=True)
    log = home / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        until(lambda: process.poll() is not None or "?token=" in log.read_text(), "it starts", 60)
        found = re.search(r"http://\S+\?token=\S+", log.read_text())
        assert found, log.read_text()
        yield RealServer(found.group())
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def real_server(tmp_path: Path) -> Iterator[RealServer]:
    with serving(tmp_path / "home") as server:
        yield server


def test_a_real_run_is_started_watched_and_looked_at(
    browser: Browser, real_server: RealServer
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    visitor = Visitor(context.new_page(), real_server)
    page = visitor.page
    visitor.open(real_server.signed_in)
    page.locator(".verdict[data-state=valid]").wait_for()
    page.fill("[name=duration_ms]", "40")
    page.fill("[name='adex.neurons']", "100")
    page.locator(".verdict[data-state=valid]").get_by_text("40 ms").wait_for()
    page.get_by_role("button", name="Start").click()
    finished = page.locator(".run-head .badge[data-state=finished]")
    until(lambda: finished.count() == 1, "the run finishes", BUILD_S)
    figures = page.locator(".figures img")
    figures.first.wait_for()
    until(lambda: figures.first.evaluate("image => image.naturalWidth") > 0, "figures load")
    assert re.fullmatch("[0-9a-f]{64}", page.locator(".digest code").inner_text())
    assert page.locator("section[aria-label=Rates] canvas").count() == 2
    assert "rHC, lHC" in page.locator("canvas.connectome").get_attribute("aria-label")
    done = page.get_by_role("progressbar")
    assert done.get_attribute("aria-valuenow") == done.get_attribute("aria-valuemax")
    page.locator("section[aria-label='Where the time goes'] .bar").nth(2).wait_for()
    visitor.picture("real-finished")
    context.close()
    assert (visitor.problems, visitor.foreign) == ([], [])


def test_a_new_token_ends_the_session_of_an_open_page(browser: Browser, tmp_path: Path) -> None:
    context = browser.new_context()
    with serving(tmp_path / "home") as server:
        visitor = Visitor(context.new_page(), server)
        visitor.expects_refusals = True
        page = visitor.page
        visitor.open(server.signed_in)
        page.locator(".verdict[data-state=valid]").wait_for()
        page.fill("[name=duration_ms]", "100000")
        page.locator(".verdict[data-state=valid]").get_by_text("100 s").wait_for()
        page.get_by_role("button", name="Start").click()
        until(lambda: page.locator("#window-now").count() == 1, "the run is shown")
        until(lambda: visitor.windows > 0, "the run goes on", BUILD_S)
        page.locator("#stream").get_by_text("live").wait_for()
    port = urlsplit(server.address).port
    assert port
    with serving(tmp_path / "home", "--new-token", port=port) as renewed:
        assert renewed.signed_in != server.signed_in
        page.get_by_role("heading", name="Token").or_(page.get_by_label("Token")).first.wait_for()
        assert page.locator("#window-now").count() == 0, "nothing of the run is left to see"
        visitor.open(renewed.signed_in)
        page.locator(".verdict").wait_for()
    context.close()
    assert visitor.foreign == []
