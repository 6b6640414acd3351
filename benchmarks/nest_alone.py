"""Cost of coupling: a co-simulation against NEST alone, in one piece, and TVB alone.

NEST alone is the same network, built by the same service, with the same recording; the drive that
the co-simulation recorded is set at once and one ``Simulate`` does the whole run. Its time is that
from setting the drive until the results are kept. Both have to give the same spikes, else the
measurement fails. TVB alone is the same brain with every region a mean field.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import dots, drawn
from benchmarks.framework import Benchmark, Once, Quantity, Result, Setting, Values
from benchmarks.runs import QUICKSTART, ROOT, Ran, run, sized
from tvb_nest_cosim.orchestrator.report.style import INK, MUTED, ROLE_COLOURS
from tvb_nest_cosim.orchestrator.run.replay import compare


@dataclass(frozen=True)
class Size:
    """A size of the two spiking networks.

    Attributes:
        neurons: Neurons of each.
        duration_ms: Simulated time.
        at_most: Target of the ratio to NEST alone.
    """

    neurons: int
    duration_ms: int
    at_most: float | None = None

    @property
    def changes(self) -> list[str]:
        """What makes the quickstart this large."""
        return sized(self.neurons, self.duration_ms)


SIZES = (Size(250, 1000), Size(1000, 500, 1.10), Size(4000, 200, 1.05))
TINY = Size(250, 40)


@contextmanager
def _prepared(setting: Setting) -> Iterator[Once]:
    folder = setting.folder / "nest-alone"
    sizes = (TINY,) if setting.is_tiny else SIZES
    # The drive that NEST alone gets. Every later run has to give the same spikes as this one.
    drives = {
        size: run(QUICKSTART, size.changes, folder / f"drive-{size.neurons}") for size in sizes
    }
    cases = deque((_Case("cosim", _cosim), _Case("alone", _nest_alone), _Case("tvb", _tvb_alone)))

    def once() -> Values:
        values: dict[str, float] = {}
        for size, drive in drives.items():
            ran = {case.key: case.run(size, drive, folder / case.key) for case in cases}
            values |= _values(size, drive, ran)
        cases.rotate(1)
        return values

    yield once


@dataclass(frozen=True)
class _Case:
    key: str
    run: Callable[[Size, Ran, Path], Ran]


def _cosim(size: Size, drive: Ran, root: Path) -> Ran:
    return run(QUICKSTART, size.changes, root)


def _nest_alone(size: Size, drive: Ran, root: Path) -> Ran:
    alone = [
        "simulators=nest", "stand_in.kind=journal", f"stand_in.run={drive.root}",
        f"window.length_ms={size.duration_ms}", "window.lookahead=1",
    ]  # fmt: skip
    return run(QUICKSTART, [*size.changes, *alone], root)


def _tvb_alone(size: Size, drive: Ran, root: Path) -> Ran:
    brain = ROOT / "examples" / "tvb_alone.yaml"
    changes = [change for change in size.changes if not change.startswith("window")]
    return run(brain, changes, root)


def _values(size: Size, drive: Ran, ran: dict[str, Ran]) -> Values:
    for key in ("cosim", "alone"):
        if different := compare(drive.root, ran[key].root, "nest"):
            raise RuntimeError(f"{ran[key].root} has other spikes than {drive.root}: {different}")
    n = size.neurons
    nest = {key: ran[key].phases()["nest-0"] for key in ("cosim", "alone")}
    sums = {key: {p: float(s.sum()) for p, s in phases.items()} for key, phases in nest.items()}
    alone_s = sum(sums["alone"].values()) - sums["alone"]["wait"]
    busy_s = sum(sums["cosim"].values()) - sums["cosim"]["wait"]
    tvb = ran["tvb"].phases()["tvb-0"]
    return {
        f"ratio {n}": ran["cosim"].wall_s / alone_s,
        f"busy {n}": busy_s / alone_s,
        f"advance {n}": sums["cosim"]["advance"] / sums["alone"]["advance"],
        f"wait {n}": sums["cosim"]["wait"] / alone_s,
        f"processor {n}": ran["cosim"].processor_s("nest-0") / ran["alone"].processor_s("nest-0"),
        f"cosim {n}": ran["cosim"].wall_s,
        f"alone {n}": alone_s,
        f"tvb {n}": float(sum(phase.sum() for phase in tvb.values())),
    }


def _draw(result: Result, folder: Path) -> None:
    sizes = [size for size in SIZES if f"ratio {size.neurons}" in result.samples]
    with drawn(folder / "nest-alone.png", 8.0, 3.4, panels=2) as (left, right):
        left.set_title("co-simulation by NEST alone")
        left.set_ylabel("wall time, NEST alone = 1")
        left.axhline(1.0, color=MUTED, linewidth=0.8)
        for place, size in enumerate(sizes):
            samples = result.samples[f"ratio {size.neurons}"]
            dots(left, place, samples, ROLE_COLOURS["nest"], size.at_most)
        right.set_title("seconds per simulated second")
        for offset, (key, text, colour) in enumerate(_BARS):
            heights = [
                result.median(f"{key} {size.neurons}") / size.duration_ms * 1000 for size in sizes
            ]
            places = [place + 0.27 * (offset - 1) for place in range(len(sizes))]
            right.bar(places, heights, 0.25, label=text, color=colour)
        right.set_yscale("log")
        right.legend()
        for axes in (left, right):
            names = [f"2 x {size.neurons:,}" for size in sizes]
            axes.set_xticks(range(len(sizes)), names)
            axes.set_xlabel("neurons")
            axes.set_xlim(-0.6, len(sizes) - 0.4)


_BARS = (
    ("cosim", "co-simulation", INK),
    ("alone", "NEST alone", ROLE_COLOURS["nest"]),
    ("tvb", "TVB alone", ROLE_COLOURS["tvb"]),
)


def _quantities() -> Iterator[Quantity]:
    for size in SIZES:
        n, text = size.neurons, f"2 x {size.neurons:,} neurons"
        alone = f"{text}: times NEST alone"
        yield Quantity(f"ratio {n}", f"{alone}, the co-simulation", at_most=size.at_most)
        yield Quantity(f"busy {n}", f"{alone}, the process of NEST without waiting")
        yield Quantity(f"advance {n}", f"{text}: computing in windows by computing at once")
        yield Quantity(f"wait {n}", f"{alone}, waiting of NEST")
        yield Quantity(f"processor {n}", f"{text}: processor time of NEST by that alone")
        yield Quantity(f"cosim {n}", f"{text}: co-simulation of {size.duration_ms} ms", "s")
        yield Quantity(f"alone {n}", f"{text}: NEST alone", "s")
        yield Quantity(f"tvb {n}", f"{text}: TVB alone", "s")


BENCHMARK = Benchmark(
    name="nest-alone",
    text="co-simulation, windows of 2 ms, against NEST alone in one piece and TVB alone",
    quantities=tuple(_quantities()),
    prepare=_prepared,
    repeats=7,
    draw=_draw,
)
