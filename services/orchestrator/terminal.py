"""Terminal output: live progress of a run, summaries, plans and faults."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from tvb_nest_cosim.cosim_core.errors import Fault
from tvb_nest_cosim.cosim_core.model.timegrid import ms_of
from tvb_nest_cosim.cosim_core.wire.lifecycle import State
from tvb_nest_cosim.orchestrator.launchers import endpoints
from tvb_nest_cosim.orchestrator.planning.plan import Planned
from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator
from tvb_nest_cosim.orchestrator.run.peers import Outcome, Peer
from tvb_nest_cosim.orchestrator.run.runner import Finished

if TYPE_CHECKING:
    from tvb_nest_cosim.cosim_core.results import Run, Summary

_BAR_WIDTH = 24
_PLAIN_INTERVAL_S = 10.0


class LiveRun:
    """A live display of a run: windows done, time to finish, and how every process spends it.

    On a terminal it redraws in place; elsewhere (a log file) it writes a line now and then. Why a
    run ends before its time is told at once, before results are written and figures drawn.

    Attributes:
        has_told_cause: Whether that was so.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.completed}/{task.total} windows"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[speed]}"),
        )
        self._task = self._progress.add_task("Running", total=None, speed="")
        self._live = Live(self._progress, console=console, refresh_per_second=8, transient=True)
        self._began_s = self._next_line_s = 0.0
        self._running = False
        self.has_told_cause = False

    def __enter__(self) -> LiveRun:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Takes the display away."""
        if self._live.is_started:
            self._live.stop()

    def tell(self, text: str) -> None:
        """Shows what is being done outside of the windows."""
        self._running = False
        if self._console.is_terminal:
            self._live.update(Spinner("dots", text))
        else:
            self._console.print(text, highlight=False)

    def __call__(self, coordinator: Coordinator) -> None:
        """Shows the state of a run."""
        outcome = coordinator.outcome
        if outcome is not None and outcome.kind in ("failed", "interrupted"):
            self.has_told_cause = True
            _show_outcome(self._console, outcome)
        if not coordinator.is_running:
            return
        if not self._running:
            self._running = True
            self._began_s = time.monotonic()
            self._next_line_s = self._began_s + _PLAIN_INTERVAL_S
        total, done = coordinator.plan.grid.window_count, coordinator.windows
        speed = self._speed(coordinator, done)
        if self._console.is_terminal:
            self._progress.update(self._task, total=total, completed=done, speed=speed)
            self._live.update(Group(self._progress, _shares(coordinator.peers.values())))
        elif time.monotonic() >= self._next_line_s:
            self._next_line_s = time.monotonic() + _PLAIN_INTERVAL_S
            self._console.print(f"  {done}/{total} windows, {speed}", highlight=False)

    def _speed(self, coordinator: Coordinator, done: int) -> str:
        elapsed_s = time.monotonic() - self._began_s
        grid = coordinator.plan.grid
        simulated_s = done * grid.window_ticks * grid.dt_ms / 1000
        if simulated_s <= 0 or elapsed_s <= 0:
            return ""
        return speed_in_words(elapsed_s / simulated_s)


def speed_in_words(real_time_factor: float) -> str:
    """Says how wall time compares with simulated time."""
    if real_time_factor >= 1:
        return f"{real_time_factor:.1f}x slower than real time"
    return f"{1 / real_time_factor:.1f}x faster than real time"


def _shares(peers: Iterable[Peer]) -> Table:
    table = Table.grid(padding=(0, 1))
    for peer in peers:
        table.add_row(f"  {peer.name}", _share_bar(peer), _share_text(peer))
    return table


def _share_bar(peer: Peer) -> Text:
    total = peer.compute_s + peer.wait_s
    filled = round(_BAR_WIDTH * peer.compute_s / total) if total else 0
    return Text("█" * filled, style="cyan") + Text("░" * (_BAR_WIDTH - filled), style="dim")


def _share_text(peer: Peer) -> str:
    total = peer.compute_s + peer.wait_s
    if peer.state is not State.RUNNING or not total:
        return peer.state.value
    compute = 100 * peer.compute_s / total
    return f"computes {compute:.0f} %, waits {100 - compute:.0f} %"


def show_faults(console: Console, faults: Iterable[Fault], what: str = "experiment") -> None:
    """Lists the faults of an experiment, or of something else that cannot run."""
    listed = list(faults)
    count = f"{len(listed)} faults" if len(listed) > 1 else "1 fault"
    console.print(f"[bold red]The {what} cannot run[/]: {count}")
    for fault in listed:
        where = f"[bold]{escape(fault.path)}[/]: " if fault.path else ""
        if fault.file:
            where = f"{escape(fault.file)}, line {fault.line}: {where}"
        console.print(f"  • {where}{escape(fault.message)}", highlight=False, soft_wrap=True)
        if fault.detail:
            console.print(
                _indent(fault.detail), style="dim", markup=False, highlight=False, soft_wrap=True
            )


def show_failure(console: Console, error: Exception) -> None:
    """Says in one line, perhaps two, what went wrong."""
    console.print(f"[bold red]failed[/]: {escape(str(error))}", highlight=False, soft_wrap=True)


def show_difference(console: Console, participant: str, lines: Iterable[str]) -> None:
    """Lists the series of a recorded run that its replay does not have."""
    console.print(f"[bold red]different[/]: {participant} did not do again")
    for line in lines:
        console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)


def show_finished(
    console: Console,
    finished: Finished,
    run: Run,
    *,
    with_summary: bool = True,
    has_told_cause: bool = False,
) -> None:
    """Shows how a run ended, unless its cause was told before, and what came out of it.

    The summary loads pandas and xarray, for which the points of a sweep need not wait.
    """
    if not has_told_cause:
        _show_outcome(console, finished.outcome)
    if with_summary:
        from tvb_nest_cosim.cosim_core.results import summary

        console.print(_summary_table(summary(run), run))
    for line in (
        f"digest  {finished.digest}" if finished.digest else "",
        f"results {finished.root}",
        f"report  {finished.report}" if finished.report else "",
    ):
        if line:
            console.print(line, highlight=False, soft_wrap=True, markup=False)


def _show_outcome(console: Console, outcome: Outcome) -> None:
    colour = {"finished": "green", "interrupted": "yellow"}.get(outcome.kind, "red")
    cause = outcome.cause.removeprefix(f"{outcome.kind} ")
    said = f": {escape(cause)}" if cause else ""
    console.print(f"[bold {colour}]{outcome.kind}[/]{said}", highlight=False, soft_wrap=True)
    if outcome.detail:
        console.print(
            _indent(outcome.detail), style="dim", markup=False, highlight=False, soft_wrap=True
        )


def _summary_table(facts: Summary, run: Run) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    known = run.provenance
    table.add_row(
        "simulated", f"{facts.simulated_ms:g} ms, {facts.windows}/{facts.windows_planned} windows"
    )
    if known is not None and known.wall_s is not None and known.build_s is not None:
        wall = f"{known.wall_s:.1f} s after {known.build_s:.1f} s of building"
        if known.real_time_factor:
            wall += f", {speed_in_words(known.real_time_factor)}"
        table.add_row("wall time", wall)
    for region, rates in facts.rates_hz.items():
        text = ", ".join(f"{population} {rate:.2f} Hz" for population, rate in rates.items())
        table.add_row(region, text)
    for group, mean in facts.groups.items():
        table.add_row(f"TVB, {group}", f"{facts.series} {mean:.4g} {facts.unit}".rstrip())
    return table


def show_plan(console: Console, planned: Planned) -> None:
    """Shows a plan with its limit and estimates."""
    plan, estimate = planned.plan, planned.estimate
    experiment, dt_ms = plan.experiment, plan.experiment.dt_ms
    table = Table.grid(padding=(0, 2))
    table.add_row("simulated", f"{experiment.duration_ms:g} ms in steps of {dt_ms:g} ms")
    window_ms = ms_of(plan.window_ticks, dt_ms)
    table.add_row("window", f"{window_ms:g} ms, {plan.grid.window_count} windows")
    table.add_row("lookahead", f"{plan.lookahead} window{'s' * (plan.lookahead > 1)}")
    table.add_row("exact limit", _limit_in_words(planned))
    processes = ", ".join(f"{n} {role}" for role, n in plan.participants.items())
    total = sum(plan.participants.values())
    table.add_row("processes", f"{total}: {processes}, and the orchestrator")
    table.add_row("edges", ", ".join(plan.edges) or "none")
    sockets = endpoints.planned(has_data=bool(plan.edges)).items()
    table.add_row("endpoints", ", ".join(f"{plane} {endpoint}" for plane, endpoint in sockets))
    for region in plan.regions:
        network, drive = experiment.spiking[region.group].network.module, region.drive
        table.add_row(
            "region",
            f"{region.name} (index {region.index}): {network}; drive {drive.kind}, "
            f"{drive.synapses:g} synapses of {drive.weight:g}",
        )
    for tract in plan.tracts:
        table.add_row(
            "tract",
            f"{tract.source} > {tract.target}: {tract.synapses_per_neuron:.3g} synapses per "
            f"neuron, {ms_of(tract.delay_ticks, dt_ms):g} ms",
        )
    for name, total_bytes, parts in (
        ("memory", estimate.memory_bytes, estimate.memory),
        ("disk", estimate.disk_bytes, estimate.disk),
    ):
        listed = ", ".join(f"{part.what} {_size(part.bytes)}" for part in parts)
        table.add_row(name, f"{_size(total_bytes)} ({listed})")
    if estimate.nest_rank_bytes is not None and plan.participants["nest"] > 1:
        table.add_row("memory per rank", f"{_size(estimate.nest_rank_bytes)} of NEST")
    console.print(table, highlight=False)
    show_warnings(console, estimate.warnings)


def _limit_in_words(planned: Planned) -> str:
    if planned.limit is None:
        return "none: no tract leads from one simulator to the other"
    dt_ms = planned.plan.experiment.dt_ms
    limit_ms = ms_of(planned.limit.limit_ticks, dt_ms)
    return f"lookahead x window up to {limit_ms:g} ms, set by {planned.limit.describe(dt_ms)}"


def show_warnings(console: Console, warnings: Iterable[str]) -> None:
    """Lists warnings."""
    for warning in warnings:
        console.print(f"[yellow]warning[/]: {escape(warning)}", highlight=False, soft_wrap=True)


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.rstrip().splitlines())


def _size(count: int) -> str:
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
