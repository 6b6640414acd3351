"""Runs by clicking: start, watch, pause, step, stop, results, list, comparison."""

from __future__ import annotations

from web.conftest import Visitor, until


def test_a_run_is_started_by_clicking_and_watched_to_its_end(visitor: Visitor) -> None:
    page = visitor.sign_in()
    page.get_by_role("button", name="Start").click()
    visitor.state("running")
    assert page.locator(".run-head h1").inner_text() == "quickstart"
    until(lambda: visitor.windows > 20, "the window counter moves")
    assert page.inner_text("#window-total").strip() == "/ 271 windows"
    assert "slower than real time" in page.locator(".run-head .facts").inner_text()
    assert page.locator("section[aria-label=Rates] canvas").count() == 2
    legend = page.locator("section[aria-label=Rates] .legend").first
    until(lambda: "Hz" in legend.inner_text(), "rates have values and a unit")
    assert "excitatory" in legend.inner_text()
    bars = page.locator("section[aria-label='Where the time goes'] .bar")
    bars.nth(2).wait_for()
    assert "waits 69 %" in bars.nth(1).get_attribute("aria-label")
    assert "translates 6 %" in bars.nth(2).get_attribute("aria-label")
    assert "2 regions built" in page.locator(".log").inner_text()

    visitor.state("finishing")
    assert "drawing the report" in page.locator(".run-head .facts").inner_text()
    for name in ("Pause", "Stop"):
        assert page.get_by_role("button", name=name).count() == 0, "nothing is left to command"
    visitor.state("finished")
    figures = page.locator(".figures img")
    figures.nth(3).wait_for()
    assert figures.count() == 4, "one of PNG and SVG for each figure"
    until(lambda: figures.first.evaluate("image => image.naturalWidth") > 0, "figures load")
    assert page.locator(".digest code").inner_text() == "5f" * 32
    until(lambda: "translates 75 %" in bars.nth(2).get_attribute("aria-label"), "phases come")
    assert "of 8.7 s" in page.locator(".bar-text").first.inner_text(), "271 windows of 32 ms"
    run = next(iter(visitor.server.runs))
    link = page.get_by_role("link", name="Report")
    assert link.get_attribute("href") == f"api/v1/runs/{run}/report.html"
    page.get_by_text("Files (5)").click()
    assert page.locator(".file-list a").first.get_attribute("download") == "experiment.yaml"
    assert page.get_by_role("button", name="Stop").count() == 0


def test_sizes_of_populations_are_asked_for_until_every_region_has_its_colours(
    visitor: Visitor,
) -> None:
    visitor.expects_refusals = True
    run = visitor.server.add(duration_ms=60_000.0, per_tick=1, silent_asks=2)
    page = visitor.sign_in(f"#/runs/{run.id}")
    sizes = "Object.keys(cosimStore.populations).sort().join()"
    until(lambda: page.evaluate(sizes) == "lHC,rHC", "the sizes are known")
    visitor.picture("raster-colours")


def test_overrides_of_the_form_reach_the_run(visitor: Visitor) -> None:
    page = visitor.sign_in()
    page.locator(".verdict[data-state=valid]").wait_for()
    page.fill("[name=duration_ms]", "40")
    page.fill("[name='spiking.0.regions']", "rA1")
    page.fill("#label", "short one")
    page.get_by_text("2 of these override the YAML").wait_for()
    page.locator(".verdict[data-state=valid]").get_by_text("40 ms").wait_for()
    page.get_by_role("button", name="Start").click()
    visitor.state("finished")
    (run,) = visitor.server.runs.values()
    assert (run.label, run.duration_ms) == ("short one", 40)
    assert "- rA1" in run.yaml
    assert "- lHC" not in run.yaml


def test_a_run_is_paused_stepped_and_resumed(visitor: Visitor) -> None:
    run = visitor.server.add(duration_ms=3000.0)
    page = visitor.sign_in(f"#/runs/{run.id}")
    until(lambda: visitor.windows > 0, "the run goes on")
    page.get_by_role("button", name="Pause").click()
    visitor.state("paused")
    until(lambda: visitor.windows == run.windows, "the page is up to date")
    before = run.windows
    page.get_by_label("Windows to step").fill("3")
    page.get_by_role("button", name="Step").click()
    until(lambda: visitor.windows == before + 3, "three windows more")
    assert run.state == "paused"
    page.get_by_role("button", name="Resume").click()
    visitor.state("running")
    until(lambda: visitor.windows > before + 3, "the run goes on again")


def test_a_run_is_stopped_after_a_question(visitor: Visitor) -> None:
    run = visitor.server.add(duration_ms=60_000.0)
    page = visitor.sign_in(f"#/runs/{run.id}")
    visitor.state("running")
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Cancel").click()
    assert run.state == "running"
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Stop in good order").click()
    visitor.state("interrupted")
    assert page.locator(".cause").inner_text() == "stopped by the user"
    page.locator(".figures img").first.wait_for()


def test_a_failed_run_names_its_cause_and_can_be_deleted(visitor: Visitor) -> None:
    run = visitor.server.add(
        state="failed", windows=71, cause="nest-0 died of SIGKILL in window 71"
    )
    page = visitor.sign_in(f"#/runs/{run.id}")
    page.get_by_text("nest-0 died of SIGKILL in window 71").wait_for()
    page.wait_for_load_state("networkidle")
    page.get_by_role("button", name="Delete").click()
    page.locator("dialog").get_by_role("button", name="Delete").click()
    page.get_by_text("There is no run yet").wait_for()
    assert not visitor.server.runs


def test_an_unknown_run_is_said_to_be_unknown(visitor: Visitor) -> None:
    visitor.expects_refusals = True
    page = visitor.sign_in("#/runs/nobody")
    page.get_by_text("there is no such run").wait_for()


def test_runs_are_filtered_searched_and_paged(visitor: Visitor) -> None:
    for number in range(24):
        state = "failed" if number % 3 == 0 else "finished"
        visitor.server.add(state=state, windows=5, label=f"sweep {number}")
    page = visitor.sign_in("#/runs")
    rows = page.locator(".run-row")
    until(lambda: rows.count() == 20, "a full page")
    page.get_by_role("button", name="Older").click()
    until(lambda: rows.count() == 4, "the rest")
    page.get_by_label("State").select_option("failed")
    until(lambda: rows.count() == 8, "failed runs")
    assert set(page.locator(".run-row .badge").all_inner_texts()) == {"failed"}
    page.get_by_label("Search").fill("sweep 21")
    until(lambda: rows.count() == 1, "the run sought")
    page.get_by_label("Search").fill("nothing like it")
    page.get_by_text("No run fits").wait_for()


def test_two_runs_are_compared_side_by_side(visitor: Visitor) -> None:
    tree = "seed: {}\nadex:\n  neurons: 500\nspiking:\n- regions:\n  - rHC\n"
    for seed, digest in ((1, "aa"), (2, "bb")):
        values = {"label": f"seed {seed}", "yaml": tree.format(seed), "digest": digest * 32}
        visitor.server.add(state="finished", **values)
    page = visitor.sign_in("#/runs")
    compare = page.get_by_role("link", name="Compare the two")
    page.locator(".run-row").nth(1).wait_for()
    assert compare.count() == 0
    for box in page.locator(".run-row [type=checkbox]").all():
        box.check()
    compare.click()
    page.get_by_text("The results differ").wait_for()
    differing = page.locator("section[aria-label=Differences] tbody tr")
    assert differing.all_inner_texts() == ["seed\t2\t1"]
    curves = page.locator("section[aria-label=Rates] .legend").first
    assert curves.inner_text().count("seed 1") == 2
    plot = page.locator("section[aria-label=Rates] .plot").first
    plot.scroll_into_view_if_needed()
    until(lambda: "seed 2 excitatory" in (plot.get_attribute("aria-label") or ""), "curves drawn")
    visitor.picture("compare")


def test_runs_of_one_name_are_told_apart_by_their_identity(visitor: Visitor) -> None:
    for _ in range(2):
        visitor.server.add(state="finished")
    page = visitor.sign_in("#/compare/run-0001/run-0002")
    legend = page.locator("section[aria-label=Rates] .legend").first
    until(lambda: "run-0001 excitatory" in legend.inner_text(), "the first run is named")
    assert "run-0002 excitatory" in legend.inner_text()
