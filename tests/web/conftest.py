"""A real browser before a server of invented runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from web.fake_server import FakeServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

ARTEFACTS = Path(__file__).parent / "artefacts"
CHROMIUM = Path(os.environ.get("COSIM_CHROMIUM", "/usr/bin/chromium"))
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WAIT_MS = 15_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Returns a headless Chromium; one per module, since Playwright keeps an event loop running."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"there is no Chromium at {CHROMIUM}; COSIM_CHROMIUM names another")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """Returns a server of invented runs."""
    with FakeServer() as server:
        yield server


def until(condition: Callable[[], Any], what: str, timeout_s: float = WAIT_MS / 1000) -> None:
    """Waits until a condition holds; the page's policy forbids Playwright's own way of polling."""
    give_up_at = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > give_up_at:
            pytest.fail(f"not within {timeout_s} s: {what}")
        time.sleep(0.03)


@dataclass
class Visitor:
    """A page in the browser, and what it did beside what one sees.

    Attributes:
        page: The page.
        server: The server it talks to.
        problems: Errors of scripts and of the console.
        foreign: Requests to other hosts.
    """

    page: Page
    server: FakeServer
    problems: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    expects_refusals: bool = False
    network_changes: int = 0

    def __post_init__(self) -> None:
        self.page.set_default_timeout(WAIT_MS)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        # The browser itself writes about every answer of 4xx and 5xx.
        told_anyway = self.expects_refusals and "Failed to load resource" in message.text
        if "ERR_NETWORK_CHANGED" in message.text:
            self.network_changes += 1
            return
        if message.type in ("error", "warning") and not told_anyway:
            self.problems.append(message.text)

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)
        if not request.url.startswith((self.server.address, "data:")):
            self.foreign.append(request.url)

    def sign_in(self, place: str = "#/new") -> Page:
        """Opens a page as somebody who is signed in."""
        cookie = {"name": "cosim", "value": self.server.token, "url": self.server.address}
        self.page.context.add_cookies([cookie])
        self.open(f"{self.server.address}{place}")
        return self.page

    def open(self, address: str | None = None) -> None:
        """Loads an address, or the page anew; again if the machine's network changed meanwhile.

        Chromium drops even what comes from this machine whenever an interface comes or goes, as
        with containers that are started beside the tests.
        """
        for _ in range(3):
            changes = self.network_changes
            self.page.goto(address) if address else self.page.reload()
            if self._has_come():
                return
            if self.network_changes == changes:
                break
        pytest.fail(f"the page did not open: {self.problems}")

    def _has_come(self) -> bool:
        give_up_at = time.monotonic() + WAIT_MS / 3000
        while time.monotonic() < give_up_at:
            if self.page.locator("h1").count():
                return True
            self.page.wait_for_timeout(30)
        return False

    def go(self, place: str) -> None:
        """Shows another page without loading anew."""
        self.page.evaluate("place => { location.hash = place; }", place)
        self.page.locator("h1").first.wait_for()

    def state(self, state: str) -> None:
        """Waits for a state of the run shown."""
        self.page.locator(f".run-head .badge[data-state={state}]").wait_for()

    @property
    def windows(self) -> int:
        """Windows done, as the page shows."""
        return int(self.page.inner_text("#window-now"))

    def picture(self, name: str) -> None:
        """Keeps a screenshot."""
        ARTEFACTS.mkdir(exist_ok=True)
        # Playwright would write the file in a thread that stays.
        (ARTEFACTS / f"{name}.png").write_bytes(self.page.screenshot())


@pytest.fixture
def visit(browser: Browser, server: FakeServer) -> Iterator[Callable[..., Visitor]]:
    """Returns a function that opens a browser window; errors in any of them fail the test."""
    contexts: list[BrowserContext] = []
    visitors: list[Visitor] = []

    def opened(width: int = 1280, height: int = 800, **options: Any) -> Visitor:
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **options))
        visitors.append(Visitor(contexts[-1].new_page(), server))
        return visitors[-1]

    yield opened
    for context in contexts:
        context.close()
    assert [v.problems for v in visitors if v.problems] == []
    assert [v.foreign for v in visitors if v.foreign] == []


@pytest.fixture
def visitor(visit: Callable[..., Visitor]) -> Visitor:
    """Returns a window as wide as a laptop's."""
    return visit()
