"""Every figure of the report; those that a run has no data for are left out."""

from __future__ import annotations

from collections.abc import Iterator

from tvb_nest_cosim.cosim_core.results import Run
from tvb_nest_cosim.orchestrator.report.figures.brain import draw_brain
from tvb_nest_cosim.orchestrator.report.figures.connectome import draw_connectome
from tvb_nest_cosim.orchestrator.report.figures.proxies import draw_proxies
from tvb_nest_cosim.orchestrator.report.figures.sensors import draw_sensors
from tvb_nest_cosim.orchestrator.report.figures.spiking import draw_analog, draw_spiking
from tvb_nest_cosim.orchestrator.report.figures.timing import draw_timing
from tvb_nest_cosim.orchestrator.report.style import Drawn

__all__ = ["draw_all"]


def draw_all(run: Run) -> Iterator[Drawn]:
    """Draws the figures in the order of the report."""
    yield from draw_brain(run)
    yield from draw_sensors(run)
    yield from draw_spiking(run)
    yield from draw_analog(run)
    yield from draw_proxies(run)
    yield from draw_connectome(run)
    yield from draw_timing(run)
