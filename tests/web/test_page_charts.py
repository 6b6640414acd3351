"""What charts draw: no more than a screen can show, and nothing that is out of sight."""

from __future__ import annotations

from web.conftest import Visitor, until

COLUMNS = """async ([values, perPixel, scale]) => {
  const [{ Series }, { columnsOf }] = await Promise.all(
    ['series', 'columns'].map((name) => import(`/js/${name}.js`)));
  const series = new Series();
  values.forEach((value, t) => series.push(t, value));
  return columnsOf(series, 0, (t) => t / perPixel, scale);
}"""

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
  for (let frames = 0; !chart.surface.painted && frames < 600; frames += 1)
    await new Promise(requestAnimationFrame);
  const { width, height } = chart.canvas;
  const { data } = chart.canvas.getContext('2d').getImageData(0, 0, width, height);
  const places = [0, 1].map((population) => {
    const ink = [...rgb(populationColour(population)), 255];
    const found = [];
    for (let at = 0; at < width * height; at += 1)
      if (ink.every((part, i) => data[4 * at + i] === part))
        found.push([((at % width) - 44) / (width - 62),
                    1 - (Math.floor(at / width) - 16) / (height - 48)]);
    return found;
  });
  return [places, chart.note.textContent];
}"""


def test_samples_of_one_column_become_their_mean_and_range(visitor: Visitor):
    page = visitor.sign_in("#/runs")
    values = [10.0 * (t % 2) for t in range(1000)]
    values[333] = 70.0
    columns = page.evaluate(COLUMNS, [values, 100, 1])
    assert [round(column["x"], 9) for column in columns] == [n + 0.495 for n in range(10)]
    ranges = [(column["low"], column["high"]) for column in columns]
    assert ranges == [(0, 70 if n == 3 else 10) for n in range(10)], "a single peak is seen"
    means = [round(column["mean"], 9) for column in columns]
    assert means == [5.6 if n == 3 else 5 for n in range(10)]
    assert len(page.evaluate(COLUMNS, [values, 100, 2])) == 20, "a sharper screen shows more"


def test_lone_samples_stay_where_they_are(visitor: Visitor):
    page = visitor.sign_in("#/runs")
    values = [3.0, 1.0, 4.0, 1.0, 5.0]
    assert page.evaluate(COLUMNS, [values, 0.4, 1]) == [
        {"x": t / 0.4, "mean": value, "low": value, "high": value} for t, value in enumerate(values)
    ]


def test_only_charts_in_sight_are_painted(visitor: Visitor):
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


def test_spikes_are_dots_of_their_population(visitor: Visitor):
    page = visitor.sign_in("#/runs")
    spikes = [[250, 40], [500, 200], [750, 450], [900, 499], [950, 700]]
    (excitatory, inhibitory), note = page.evaluate(RASTER, spikes)
    assert note == "4 spikes shown", "the last is of no population"
    for (t_ms, neuron), place in zip(spikes, sorted([*excitatory, *inhibitory]), strict=False):
        assert abs(place[0] - t_ms / 1000) < 0.01
        assert abs(place[1] - neuron / 500) < 0.02
    assert (len(excitatory), len(inhibitory)) == (2, 2), "a pixel for each"
