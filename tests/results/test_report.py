"""The report: one page that opens offline, for every simulators and every outcome."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from results.conftest import MakeRun
from results.synthetic_run import REGIONS, Activity, completed, write_run
from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.results import digest, open_run, summary
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.orchestrator.report import write_report
from tvb_nest_cosim.orchestrator.report.page import Outcome, duration, outcome
from tvb_nest_cosim.orchestrator.report.style import bin_ms, thinned

FINISHED = {
    "outcome": "finished",
    "cause": None,
    "started": "2026-03-01T10:00:00+00:00",
    "wall_s": 1.5,
    "build_s": 0.5,
    "command": ["cosim", "run", "examples/quickstart.yaml"],
    "host": "node7",
    "versions": {"NEST": "3.10.0"},
    "seeds": {"experiment": 1},
    "warnings": ["<script>alert(1)</script>"],
}


class Page(HTMLParser):
    """Text of a page, and everything in it that a browser would load."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loads, self.words, self.tags = [], [], []
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value for name, value in attrs if name in ("src", "href", "srcset")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def report(root: Path, provenance: Mapping[str, Any] | None = None) -> Page:
    if provenance is not None:
        RunLayout(root).provenance.write_text(json.dumps(provenance))
    completed(root)
    path = write_report(root)
    assert path == RunLayout(root).report
    return Page(path.read_text(encoding="utf-8"))


def figure_names(root: Path) -> set[str]:
    return {path.name for path in RunLayout(root).figures.iterdir()}


def pictures(*names: str) -> set[str]:
    return {f"{name}.{form}" for name in names for form in ("png", "svg")}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, Page]:
    """A finished run whose results were collected before its report was written."""
    root = write_run(tmp_path_factory.mktemp("runs") / "run", Activity.make(), 40, 2)
    RunLayout(root).provenance.write_text(json.dumps(FINISHED))
    completed(root)
    return root, RunLayout(root).spikes.stat().st_mtime_ns, report(root)


def test_a_finished_co_simulation_shows_everything_and_loads_nothing(
    finished: tuple[Path, int, Page],
) -> None:
    root, _, page = finished
    spiking = [f"spiking-{region}" for region in REGIONS]
    expected = pictures("brain", *spiking, "analog", "proxies", "connectome", "timing")
    assert figure_names(root) == expected
    assert len(page.loads) == 7
    assert all(url.startswith("data:image/png;base64,") for url in page.loads)
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert not re.search(r"url\(|@import", RunLayout(root).report.read_text())
    for text in (
        "two hippocampi",
        "Right and left hippocampus <spiking> & 74 mean-field regions.",
        "Finished: every window was simulated.",
        "25 x slower than real time",
        "60 ms",
        digest(root),
        "<script>alert(1)</script>",
        "NEST 3.10.0",
        "cosim run examples/quickstart.yaml",
        "excitatory 80",
        "connected to spiking",
        "translator",
        "E_L_mV: -65.0",
    ):
        assert text in page.text


def test_pictures_are_files_of_their_kind(finished: tuple[Path, int, Page]) -> None:
    for path in RunLayout(finished[0]).figures.iterdir():
        head = path.read_bytes()[:8]
        assert head == b"\x89PNG\r\n\x1a\n" if path.suffix == ".png" else head[:5] == b"<?xml"


def test_collected_results_are_not_collected_again(finished: tuple[Path, int, Page]) -> None:
    root, collected_ns, _ = finished
    assert RunLayout(root).spikes.stat().st_mtime_ns == collected_ns


@pytest.mark.parametrize(
    ("simulators", "expected", "absent"),
    [
        ("tvb", pictures("brain", "connectome", "timing"), "Mean rates of spiking"),
        (
            "nest",
            pictures(
                *(f"spiking-{region}" for region in REGIONS),
                *("analog", "proxies", "connectome", "timing"),
            ),
            "TVB regions",
        ),
    ],
)
def test_one_sided_runs_have_the_figures_of_their_side(
    make_run: MakeRun, simulators: str, expected: set[str], absent: str
) -> None:
    root = make_run(simulators=simulators)
    page = report(root, FINISHED)
    assert figure_names(root) == expected
    assert absent not in page.text


def test_a_failed_run_shows_its_cause_and_what_was_computed(make_run: MakeRun) -> None:
    root = make_run(windows={"nest": 6, "translator": 7, "tvb": 7})
    failed = {"outcome": "failed", "cause": "nest 0 was killed by signal 9", "detail": "line 1"}
    page = report(root, failed)
    assert "Failed: nest 0 was killed by signal 9. 6 of 15 windows are complete." in page.text
    assert "24 ms of 60 ms" in page.text
    assert "Details line 1" in page.text
    assert "spiking-rHC.png" in figure_names(root)


def test_an_interrupted_run_says_so(make_run: MakeRun) -> None:
    root = make_run(windows={"tvb": 3})
    RunLayout(root).provenance.write_text('{"outcome": "interrupted"}')
    completed(root)
    with open_run(root) as run:
        found = outcome(run, summary(run))
    assert found == Outcome("interrupted", "Interrupted. 3 of 15 windows are complete.", "")


@pytest.mark.parametrize("windows", [0, 1])
def test_a_run_of_hardly_any_window_has_a_report(make_run: MakeRun, windows: int) -> None:
    root = make_run(windows={"tvb": windows, "nest": windows, "translator": windows})
    page = report(root)
    assert f"How the run ended was not recorded. {windows} of 15 windows" in page.text
    assert ("SHA-256" in page.text, "Digest" in page.text) == (windows > 0, windows > 0)
    assert "connectome.png" in figure_names(root)


def test_a_run_that_never_built_its_simulators_has_a_report(make_run: MakeRun) -> None:
    root = make_run(windows={"tvb": 0, "nest": 0, "translator": 0})
    plan = RunLayout(root).plan
    tree = json.loads(plan.read_text())
    plan.write_text(json.dumps({"plan": tree["plan"], "populations": {}}))
    page = report(root, {"outcome": "failed", "cause": "NEST did not start"})
    assert "NEST did not start" in page.text


def test_no_run_no_report(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match="not a run directory"):
        write_report(tmp_path)


def test_curves_are_thinned_by_averaging() -> None:
    times, values = thinned(np.arange(10.0), np.arange(20.0).reshape(10, 2), 4)
    np.testing.assert_array_equal(times, [1.0, 4.0, 7.0])
    np.testing.assert_array_equal(values, [[2.0, 3.0], [8.0, 9.0], [14.0, 15.0]])
    same, _ = thinned(np.arange(4.0), np.arange(4.0), 4)
    np.testing.assert_array_equal(same, np.arange(4.0))


def test_words_for_numbers() -> None:
    assert [duration(s) for s in (0.06, 2.0, 119.0, 200.0, 7380.0)] == [
        *("60 ms", "2 s", "119 s", "3 min 20 s", "2 h 3 min"),
    ]
    assert [bin_ms(ms) for ms in (60.0, 1000.0, 2000.0, 1e6)] == [1.0, 5.0, 10.0, 100.0]
