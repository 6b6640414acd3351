"""How figures look: one style, colours that colour-blind readers can tell apart."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from tvb_nest_cosim.cosim_core.model.arrays import Reals

_DRAWING = threading.Lock()

INK = "#262b33"
"""Text and axes."""
MUTED = "#8a929e"
"""What stands back: other regions, guide lines."""
PALE = "#d9dde3"
"""Areas behind curves."""

POPULATION_COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""By order of the populations in their network (Okabe and Ito); excitatory comes first."""

REGION_COLOURS = ("#882255", "#117733", "#332288", "#cc6677", "#44aa99", "#999933", "#aa4499")
"""By order of the spiking regions (Tol, muted)."""

PHASE_COLOURS = {
    "advance": "#0072b2",
    "absorb": "#56b4e9",
    "read": "#332288",
    "receive": "#cc79a7",
    "encode": "#f0e442",
    "send": "#e69f00",
    "record": "#009e73",
    "wait": "#d9dde3",
}
"""By phase of a participant's window; waiting stands back."""

ROLE_COLOURS = {"nest": "#d55e00", "tvb": "#0072b2", "translator": "#009e73"}
"""By participant."""

MAX_POINTS = 1500
"""Points of a curve; more cannot be seen."""

SECONDS_FROM_MS = 5000.0
"""Duration from which time axes are in seconds."""

_RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 7,
    "axes.labelsize": 9,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.2,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "cosim",
}


@dataclass(frozen=True)
class Drawn:
    """A finished figure.

    Attributes:
        name: File name without ending.
        title: Heading in the report.
        caption: What it shows, in a sentence or two.
        figure: The figure.
    """

    name: str
    title: str
    caption: str
    figure: Figure


@contextmanager
def house_style() -> Iterator[None]:
    """Applies the style to figures made and saved inside, by one thread at a time.

    Matplotlib has one set of parameters for all threads of a process.
    """
    with _DRAWING, mpl.rc_context(_RC):
        yield


def new_figure(width_in: float, height_in: float) -> Figure:
    """Makes an empty figure that arranges its own margins."""
    figure = Figure(figsize=(width_in, height_in))
    figure.set_layout_engine(ConstrainedLayoutEngine(h_pad=0.09, w_pad=0.06))
    return figure


@dataclass(frozen=True)
class TimeAxis:
    """Time as figures show it.

    Attributes:
        duration_ms: End of the axis in ms.
    """

    duration_ms: float

    def of(self, times_ms: Reals) -> Reals:
        """Converts ms to the axis' unit."""
        return times_ms / 1000.0 if self.in_seconds else times_ms

    @property
    def in_seconds(self) -> bool:
        """Whether the axis is in seconds."""
        return self.duration_ms >= SECONDS_FROM_MS

    @property
    def end(self) -> float:
        """End of the axis in its unit."""
        return self.duration_ms / 1000.0 if self.in_seconds else self.duration_ms

    def apply(self, axes: Axes, label: bool = True) -> None:
        """Sets limits, and the label unless an axes below carries it."""
        axes.set_xlim(0.0, self.end)
        if label:
            axes.set_xlabel("simulated time (s)" if self.in_seconds else "simulated time (ms)")
        else:
            axes.tick_params(labelbottom=False)


def thinned(times: Reals, values: Reals, points: int = MAX_POINTS) -> tuple[Reals, Reals]:
    """Averages neighbouring samples until a curve has at most ``points``.

    Args:
        times: Shape (sample,).
        values: Shape (sample, ...).
        points: Largest number of samples to keep.

    Returns:
        Times and values; what does not fill a last bin is dropped.
    """
    step = max(1, -(-len(times) // points))
    kept = len(times) // step
    cut = kept * step
    return (
        times[:cut].reshape(kept, step).mean(axis=1),
        values[:cut].reshape(kept, step, *values.shape[1:]).mean(axis=1),
    )


def bin_ms(duration_ms: float) -> float:
    """Chooses the width of rate histograms: round, and some 200 bins in a run."""
    steps = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
    return next((step for step in steps if duration_ms / step <= 250), steps[-1])


def legend_above(axes: Axes, columns: int = 8) -> None:
    """Puts the legend on the line of the title, so that panels keep their full width."""
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=columns,
        borderaxespad=0.2,
        columnspacing=1.4,
        handlelength=1.4,
    )


def colour(palette: Sequence[str], index: int) -> str:
    """Returns a colour of a palette, again from its start when it is used up."""
    return palette[index % len(palette)]
