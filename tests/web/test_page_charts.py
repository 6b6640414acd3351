"""What charts draw: no more than a screen can show, and nothing that is out of sight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web.conftest import Visitor, until

if TYPE_CHECKING:
    from playwright.sync_api import Page

COUNT_PAINTINGS = """() => {
  const { clearRect } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.clearRect = function (...place) {
    this.canvas.paintings = (this.canvas.paintings ?? 0) + 1;
    clearRect.apply(this, place);
  };
}"""

PAINTINGS = """() => [...document.querySelectorAll('canvas')].map((canvas) => {
  const { top, bottom } = canvas.getBoundingClientRect();
  return [bottom > 0 && top < innerHeight, canvas.paintings ?? 0];
})"""

RASTER = """async (spikes) => {
  const [{ Cloud }, { RasterChart }, { rgb, populationColour }] = await Promise.all(
    ['series', 'raster', 'theme'].map((name) => import(`/js/${name}.js`)));
  const cloud = new Cloud();
  cloud.extend(spikes);
  const chart = new RasterChart({ region: 'rHC', cloud, now: () => 1000,
    sizes: () => ({ excitatory: 400, inhibitory: 100 }), signal: new AbortController().signal });
  document.getElementById('main').prepend(chart.element);
  for (let frames = 0; !chart.note.textContent && frames < 600; frames += 1)
    await new Promise(requestAnimationFrame);
  const { bbox: { left, top, width, height }, ctx } = chart.plot;
  const { data } = ctx.getImageData(left, top, width, height);
  const places = [0, 1].map((population) => {
    const ink = [...rgb(populationColour(population)), 255];
    const found = [];
    for (let at = 0; at < width * height; at += 1)
      if (ink.every((part, i) => data[4 * at + i] === part))
        found.push([(at % width) / width, 1 - Math.floor(at / width) / height]);
    return found;
  });
  return [places, chart.note.textContent];
}"""

COLUMNS = """async ([values, to, count]) => {
  const [{ Series }, { columns }] = await Promise.all(
    ['series', 'curves'].map((name) => import(`/js/${name}.js`)));
  const series = new Series();
  values.forEach((value, t) => series.push(t, value));
  return columns(series, [0, to], count);
}"""

MERGED = """async () => {
  const [{ Series }, { LineChart }, { TimeView }] = await Promise.all(
    ['series', 'curves', 'timeview'].map((name) => import(`/js/${name}.js`)));
  const { signal } = new AbortController();
  const series = new Series();
  for (let t = 1; t <= 20000; t += 1) series.push(t, t === 5000 ? 70 : 10 * (t % 2));
  const chart = new LineChart({ title: 'merged', unit: 'Hz', view: new TimeView(signal), signal });
  chart.setCurves([{ label: 'a', series, colour: () => '#ff0000' }]);
  document.getElementById('main').prepend(chart.element);
  for (let frames = 0; !chart.values[0].textContent && frames < 600; frames += 1)
    await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  const { plot } = chart;
  const { width, height } = plot.ctx.canvas;
  const { data } = plot.ctx.getImageData(0, 0, width, height);
  const inked = (t, value) => {
    const [x, y] = [[t, 'x'], [value, 'y']].map((at) => Math.round(plot.valToPos(...at, true)));
    return Math.max(...[-2, -1, 0, 1, 2].map((i) => data[4 * (y * width + x + i) + 3]));
  };
  return [inked(11000, 5), inked(11000, 8), inked(11000, 2), inked(11000, 14), inked(5000, 50)];
}"""


def test_samples_of_one_column_become_their_mean_and_range(visitor: Visitor) -> None:
    page = visitor.sign_in("#/runs")
    values = [10.0 * (t % 2) for t in range(1000)]
    values[333] = 70.0
    times, means, lows, highs = page.evaluate(COLUMNS, [values, 1000, 10])
    assert [round(t, 9) for t in times] == [100 * n + 49.5 for n in range(10)]
    assert lows == [0] * 10
    assert highs == [70 if n == 3 else 10 for n in range(10)], "a single peak is seen"
    assert [round(mean, 9) for mean in means] == [5.6 if n == 3 else 5 for n in range(10)]
    assert len(page.evaluate(COLUMNS, [values, 1000, 20])[0]) == 20, "a sharper screen shows more"


def test_lone_samples_stay_where_they_are(visitor: Visitor) -> None:
    page = visitor.sign_in("#/runs")
    values = [3.0, 1.0, 4.0, 1.0, 5.0]
    assert page.evaluate(COLUMNS, [values, 5, 1000]) == [list(range(5)), values, values, values]


def test_merged_samples_are_drawn_as_their_mean_and_range(visitor: Visitor) -> None:
    page = visitor.sign_in("#/runs")
    mean, above, below, outside, peak = page.evaluate(MERGED)
    assert mean > above + 30, "a line at the mean"
    assert 20 < above < 100, "a band up to the greatest"
    assert 20 < below < 100, "and down to the least"
    assert outside == 0
    assert peak > 0, "a single peak is seen"


HEADROOM = """async (values) => {
  const [{ Series }, { LineChart }, { TimeView }] = await Promise.all(
    ['series', 'curves', 'timeview'].map((name) => import(`/js/${name}.js`)));
  const { signal } = new AbortController();
  const series = new Series();
  values.forEach((value, t) => series.push(t, value));
  const chart = new LineChart({ title: 'V', unit: 'mV', view: new TimeView(signal), signal });
  chart.setCurves([{ label: 'a', series, colour: () => '#ff0000' }]);
  document.getElementById('main').prepend(chart.element);
  for (let frames = 0; !chart.values[0].textContent && frames < 600; frames += 1)
    await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return [chart.plot.scales.y.min, chart.plot.scales.y.max];
}"""


def test_curves_below_zero_are_seen_and_others_stand_on_zero(visitor: Visitor) -> None:
    page = visitor.sign_in("#/runs")
    low, high = page.evaluate(HEADROOM, [-65.0, -50.0, -60.0])
    assert -75 < low < -65 < -50 < high < -40
    low, high = page.evaluate(HEADROOM, [2.0, 10.0, 5.0])
    assert low == 0 < 10 < high < 13


def legend(page: Page, at: int) -> str:
    return page.locator("section[aria-label=Rates] .legend").nth(at).inner_text()


def test_dragging_zooms_every_chart_and_a_double_click_goes_back(visitor: Visitor) -> None:
    run = visitor.server.add(state="finished")
    page = visitor.sign_in(f"#/runs/{run.id}")
    plot = page.locator("section[aria-label=Rates] .plot").first
    plot.scroll_into_view_if_needed()
    until(lambda: "Hz" in legend(page, 0), "curves are drawn")
    whole = page.locator("section[aria-label=Rates] .segment[aria-pressed=true]")
    assert whole.inner_text() == "Whole run"
    box = plot.bounding_box()
    assert box
    page.mouse.move(box["x"] + 100, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 70, steps=4)
    page.mouse.up()
    until(lambda: whole.count() == 0, "none of the usual spans is shown")
    times = page.locator("section[aria-label=Rates] .plot-time")
    page.mouse.move(box["x"] + 100, box["y"] + 60)
    until(lambda: "ms" in times.first.inner_text(), "the cursor has a time")
    span = float(times.first.inner_text().split()[0])
    assert 50 < span < 250, "the left part of the second that was simulated"
    assert times.nth(1).inner_text() == times.first.inner_text(), "the other chart zooms along"
    page.mouse.dblclick(box["x"] + 100, box["y"] + 60)
    until(lambda: whole.count() == 1, "everything is shown again")


def test_a_cursor_reads_every_chart_of_a_run(visitor: Visitor) -> None:
    run = visitor.server.add(state="finished")
    page = visitor.sign_in(f"#/runs/{run.id}")
    plot = page.locator("section[aria-label=Rates] .plot").first
    plot.scroll_into_view_if_needed()
    until(lambda: "Hz" in legend(page, 1), "curves are drawn")
    before = legend(page, 1)
    box = plot.bounding_box()
    assert box
    page.mouse.move(box["x"] + 150, box["y"] + 60)
    times = page.locator(".plot-time")
    until(lambda: "ms" in times.nth(1).inner_text(), "the other chart's cursor has a time")
    assert times.nth(0).inner_text() == times.nth(1).inner_text()
    assert legend(page, 1) != before, "and its values"
    page.mouse.move(5, 5)
    until(lambda: not times.nth(1).inner_text(), "both cursors leave")
    assert legend(page, 1) == before


def test_only_charts_in_sight_are_painted(visitor: Visitor) -> None:
    run = visitor.server.add(duration_ms=60_000.0, per_tick=2)
    page = visitor.sign_in(f"#/runs/{run.id}")
    page.locator("canvas.connectome").wait_for()
    page.evaluate(COUNT_PAINTINGS)
    before = visitor.windows
    until(lambda: visitor.windows > before + 40, "the run goes on")
    paintings = page.evaluate(PAINTINGS)
    assert any(count > 3 for seen, count in paintings if seen), paintings
    hidden = [count for seen, count in paintings if not seen]
    assert hidden, "a chart is below the window's edge"
    assert not any(hidden), paintings
    page.get_by_text("Choose regions").scroll_into_view_if_needed()
    until(lambda: page.evaluate(PAINTINGS)[-2][1] > 3, "it is painted once it is in sight")


def test_spikes_are_dots_of_their_population(visitor: Visitor) -> None:
    page = visitor.sign_in("#/runs")
    spikes = [[250, 40], [500, 200], [750, 450], [900, 499], [950, 700]]
    (excitatory, inhibitory), note = page.evaluate(RASTER, spikes)
    assert note == "4 spikes of 500 neurons", "the last is of no population"
    for (t_ms, neuron), place in zip(spikes, sorted([*excitatory, *inhibitory]), strict=False):
        assert abs(place[0] - t_ms / 1000) < 0.01
        assert abs(place[1] - neuron / 500) < 0.02
    assert (len(excitatory), len(inhibitory)) == (2, 2), "a pixel for each"
