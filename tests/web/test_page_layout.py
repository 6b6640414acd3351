"""Phone and laptop, light and dark."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from web.conftest import Visitor, until
from web.fake_server import FakeServer

OVERHANG = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.parametrize(("width", "height"), [(360, 780), (1280, 800)], ids=["phone", "laptop"])
def test_every_page_fits(
    visit: Callable[..., Visitor], server: FakeServer, width: int, height: int
) -> None:
    visitor = visit(width, height)
    long = "a-long-name-without-any-place-to-break-" * 3
    server.add(state="finished", label=long)
    server.add(state="failed", windows=40, cause=f"nest-0 died: {long}")
    run = server.add(duration_ms=2000.0)
    page = visitor.sign_in()
    page.locator(".verdict[data-state=valid]").wait_for()
    look(visitor, "new")
    for place, text in (
        (f"#/runs/{run.id}", "Rates of spiking populations"),
        ("#/runs", "3 runs"),
        ("#/compare/run-0001/run-0002", "Differences of the experiments"),
    ):
        visitor.go(place)
        page.get_by_text(text).first.wait_for()
        if place.endswith(run.id):
            until(lambda: visitor.windows > 150, "there is something to see")
        look(visitor, "live" if run.id in place else place.split("/")[1])


def look(visitor: Visitor, name: str) -> None:
    """Keeps pictures in light and dark, and checks that nothing hangs over the edge."""
    page = visitor.page
    device = "phone" if page.viewport_size["width"] < 500 else "laptop"
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        # Canvases are drawn anew in the next frame.
        page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        visitor.picture(f"{device}-{scheme}-{name}")
        background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert (sum(map(int, background[4:-1].split(","))) < 200) == (scheme == "dark")
        assert page.evaluate(OVERHANG) <= 0, name


def test_the_chosen_theme_is_kept(visitor: Visitor) -> None:
    page = visitor.sign_in("#/runs")
    page.get_by_role("button", name="Use dark colours").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    visitor.open()
    page.get_by_role("button", name="Use light colours").wait_for()
