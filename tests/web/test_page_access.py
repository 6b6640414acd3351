"""Who may see what, and what the page may load: nothing from elsewhere, nothing inline."""

from __future__ import annotations

import re

from web.conftest import Visitor, until
from web.fake_server import WEB

VENDOR = WEB / "vendor"
FILES = sorted(
    path
    for path in WEB.rglob("*")
    if path.suffix in (".js", ".css", ".html", ".svg") and VENDOR not in path.parents
)


def test_a_wrong_token_is_refused_and_the_right_one_lets_in(visitor: Visitor) -> None:
    visitor.expects_refusals = True
    page = visitor.page
    visitor.open(visitor.server.address)
    page.get_by_role("heading", name="Sign in with the token").wait_for()
    assert page.locator("#connection").inner_text() == "signed out"
    page.get_by_label("Token").fill("guess")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").get_by_text("This token was refused").wait_for()
    visitor.picture("token")
    page.get_by_label("Token").fill(visitor.server.token)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="New run").wait_for()
    assert visitor.server.token not in page.url


def test_a_printed_address_signs_in_and_leaves_no_token_behind(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open(visitor.server.signed_in)
    page.get_by_role("heading", name="New run").wait_for()
    assert page.url == f"{visitor.server.address}#/new"
    assert page.evaluate("document.cookie") == "", "scripts cannot read the cookie"


def test_an_address_with_a_wrong_token_says_so(visitor: Visitor) -> None:
    visitor.expects_refusals = True
    visitor.open(f"{visitor.server.address}?token=old")
    visitor.page.get_by_text("This token was refused").wait_for()
    assert "denied" not in visitor.page.url


def test_a_token_that_is_renewed_leads_back_to_the_question(visitor: Visitor) -> None:
    visitor.expects_refusals = True
    page = visitor.sign_in("#/runs")
    visitor.server.token += "-renewed"
    page.get_by_role("heading", name="Sign in with the token").wait_for()


def test_names_that_look_like_markup_stay_text(visitor: Visitor) -> None:
    evil = "<img src=x onerror=alert(1)>"
    run = visitor.server.add(state="failed", windows=3, label=evil, name=evil, cause=evil)
    page = visitor.sign_in("#/runs")
    page.get_by_text(evil).first.wait_for()
    visitor.go(f"#/runs/{run.id}")
    page.get_by_role("heading", name=evil).wait_for()
    run.log("error", evil)
    assert page.locator("img[src=x]").count() == 0


def test_the_page_is_small_and_quick(visitor: Visitor) -> None:
    page = visitor.sign_in()
    page.locator(".verdict[data-state=valid]").wait_for()
    size = sum(path.stat().st_size for path in WEB.rglob("*") if path.is_file())
    assert size < 2_000_000
    paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
    until(lambda: page.evaluate(paint) > 0, "the browser reports its first paint")
    loaded = [url for url in visitor.requests if url.endswith((".js", ".css", ".svg"))]
    assert len(set(loaded)) >= 20, "modules are loaded as they are, without a build"


def test_every_file_keeps_to_the_rules() -> None:
    assert len(FILES) > 30
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        addresses = set(re.findall(r"https?://[^\s\"')]+", text)) - {"http://www.w3.org/2000/svg"}
        assert not addresses, path
        markup = r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval)\b"
        assert not re.search(markup, text), path
        if path.suffix == ".js":
            assert len(text.splitlines()) < 300, path
            assert text.startswith("/**"), f"{path} says what it is for"
        if path.suffix == ".html":
            assert not re.search(r"\s(style|on[a-z]+)=", text), path
            assert re.findall(r"<script(?![^>]*\bsrc=)", text) == [], path


def test_every_vendored_library_has_its_licence_and_version() -> None:
    for folder in VENDOR.iterdir():
        assert {"LICENSE", "README.md"} <= {path.name for path in folder.iterdir()}
        version = re.search(r"\d+\.\d+\.\d+", (folder / "README.md").read_text())
        assert version
        assert any(f"v{version[0]}" in path.read_text() for path in folder.glob("*.js"))
