"""Everything by keyboard, and what a screen reader gets."""

from __future__ import annotations

from web.conftest import Visitor, until


def active(visitor: Visitor) -> str:
    script = "const e = document.activeElement; return e.id || e.className || e.tagName;"
    return visitor.page.evaluate(f"() => {{ {script} }}")


def test_pages_are_reached_by_keys(visitor: Visitor) -> None:
    run = visitor.server.add(duration_ms=60_000.0)
    visitor.server.add(state="finished")
    page = visitor.sign_in("#/runs")
    page.locator(".run-row").nth(1).wait_for()
    for key in ("j", "j", "j", "k", "j"):
        page.keyboard.press(key)
    assert active(visitor) == f"run-{run.id}"
    page.keyboard.press("c")
    page.get_by_text("Choose two to compare (1)").wait_for()
    page.keyboard.press("Enter")
    visitor.state("running")
    page.keyboard.press("p")
    visitor.state("paused")
    until(lambda: visitor.windows == run.windows, "the page is up to date")
    before = run.windows
    page.keyboard.press("s")
    until(lambda: run.windows == before + 1, "one window")
    page.keyboard.press("x")
    page.get_by_role("heading", name="Stop this run?").wait_for()
    page.keyboard.press("Escape")
    assert run.state == "paused"
    page.keyboard.press("n")
    page.get_by_role("heading", name="New run").wait_for()


def test_help_opens_by_key_and_gives_the_focus_back(visitor: Visitor) -> None:
    page = visitor.sign_in("#/runs")
    page.locator("#help").focus()
    page.keyboard.press("?")
    page.get_by_role("heading", name="Keyboard").wait_for()
    visitor.picture("help")
    page.keyboard.press("Escape")
    until(lambda: page.locator("dialog").count() == 0, "the dialog closes")
    assert active(visitor) == "help"


def test_shortcuts_rest_while_somebody_types(visitor: Visitor) -> None:
    page = visitor.sign_in()
    page.locator(".verdict[data-state=valid]").wait_for()
    page.get_by_label("Experiment in YAML").press("End")
    page.keyboard.type(" n r t ?")
    assert page.locator("dialog").count() == 0
    assert page.url.endswith("#/new")


def test_the_tab_key_leaves_the_editor_and_starts_a_run(visitor: Visitor) -> None:
    page = visitor.sign_in()
    page.locator(".verdict[data-state=valid]").wait_for()
    page.get_by_label("Experiment in YAML").focus()
    page.keyboard.press("Shift+Tab")
    assert "editor-text" not in active(visitor)
    page.keyboard.press("Control+Enter")
    visitor.state("running")


def test_the_first_stop_leads_past_the_header_and_focus_is_seen(visitor: Visitor) -> None:
    page = visitor.sign_in("#/runs")
    page.evaluate("document.activeElement.blur(); document.body.focus()")
    visitor.open()
    page.get_by_role("heading", name="Runs").wait_for()
    page.get_by_label("Search").focus()
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    page.locator(".skip").focus()
    assert page.locator(".skip").bounding_box()["x"] >= 0


def test_curves_and_connectome_are_read_by_keys(visitor: Visitor) -> None:
    run = visitor.server.add(state="finished")
    page = visitor.sign_in(f"#/runs/{run.id}")
    chart = page.locator("section[aria-label=Rates] .plot").first
    chart.focus()
    until(lambda: "excitatory" in (chart.get_attribute("aria-label") or ""), "the curve is drawn")
    at_the_end = chart.get_attribute("aria-label")
    page.keyboard.press("Home")
    until(lambda: chart.get_attribute("aria-label") != at_the_end, "the cursor tells other values")
    brain = page.locator("canvas.connectome")
    assert "spiking: rHC, lHC" in brain.get_attribute("aria-label")
    brain.focus()
    page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="Matrix").click()
    assert "matrix" in brain.get_attribute("aria-label")
    box = brain.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    until(
        lambda: "→" in page.locator("section[aria-label=Connectome] .hint").inner_text(),
        "a cell is read",
    )


def test_changes_of_state_are_announced(visitor: Visitor) -> None:
    run = visitor.server.add(duration_ms=100.0)
    page = visitor.sign_in(f"#/runs/{run.id}")
    said = page.locator("#announcer")
    until(lambda: said.inner_text() == "Run quickstart is finished", "the end is announced")
    bar = page.get_by_role("progressbar")
    assert bar.get_attribute("aria-valuenow") == bar.get_attribute("aria-valuemax") == "28"
