"""Cost of journals and recording: a run as it is, one that keeps nothing, one without recording.

Journals cannot be switched off; the services are started with journals that lead nowhere. Without
recording, NEST hands over no single spikes and no potentials either, only the counts that TVB
needs. NEST sets the pace, so the processor time of its process is told besides.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import dots, drawn
from benchmarks.framework import Benchmark, Once, Quantity, Result, Setting, Values
from benchmarks.runs import QUICKSTART, run, sized
from tvb_nest_cosim.orchestrator.report.style import PHASE_COLOURS, ROLE_COLOURS

NOWHERE = ("benchmarks.without_journal",)
SILENT = ("spiking.0.record.spikes=false", "spiking.0.record.analog=[]")
CASES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "all": ((), ()),
    "unkept": (NOWHERE, ()),
    "none": (NOWHERE, SILENT),
}
"""By name: what the services are started through, and what is changed."""

AT_MOST = 1.03


@contextmanager
def _prepared(setting: Setting) -> Iterator[Once]:
    changes = sized(250, 20) if setting.is_tiny else sized(1000, 500)
    order = deque(CASES)

    def once() -> Values:
        wall_s, nest_s = {}, {}
        for key in order:
            through, silent = CASES[key]
            root = setting.folder / "recording"
            ran = run(QUICKSTART, [*changes, *silent], root, through=through)
            wall_s[key], nest_s[key] = ran.wall_s, ran.processor_s("nest-0")
        order.rotate(1)
        return {
            "journal": wall_s["all"] / wall_s["unkept"],
            "both": wall_s["all"] / wall_s["none"],
            "processor journal": nest_s["all"] / nest_s["unkept"],
            "processor both": nest_s["all"] / nest_s["none"],
            **{f"wall {key}": seconds for key, seconds in wall_s.items()},
        }

    yield once


def _draw(result: Result, folder: Path) -> None:
    with drawn(folder / "recording.png", 4.5, 3.2) as (axes,):
        axes.set_title("wall time, journals and recording on by off")
        dots(axes, 0, result.samples["journal"], ROLE_COLOURS["tvb"])
        dots(axes, 1, result.samples["both"], PHASE_COLOURS["record"], AT_MOST)
        axes.set_xticks([0, 1], ["nothing kept", "nothing kept,\nnothing recorded"])
        axes.axhline(1.0, color=PHASE_COLOURS["wait"], zorder=0)
        axes.set_xlim(-0.6, 1.6)


BENCHMARK = Benchmark(
    name="recording",
    text="journals and recording on against off, 2 x 1,000 neurons, windows of 2 ms",
    quantities=(
        Quantity("journal", "wall time, journals on by off"),
        Quantity("both", "wall time, journals and recording on by off", at_most=AT_MOST),
        Quantity("processor journal", "processor time of NEST's process, journals on by off"),
        Quantity("processor both", "the same, journals and recording on by off"),
        Quantity("wall all", "wall time of the windows, all on", "s"),
        Quantity("wall unkept", "the same, nothing kept", "s"),
        Quantity("wall none", "the same, nothing kept and nothing recorded", "s"),
    ),
    prepare=_prepared,
    repeats=7,
    draw=_draw,
)
