"""Cost of clients to a run: nobody listening against one and fifty, in one repetition.

The order of the cases changes from one repetition to the next, so that a machine that becomes
busier favours none. Clients are one process beside the run; on few cores their work, too, competes
with the simulators. So the server's own processor time, which noise of the machine hardly touches,
is told beside the wall time.
"""

from __future__ import annotations

import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from benchmarks.framework import Benchmark, Once, Quantity, Setting, Values
from benchmarks.servers import WAIT_S, Served, experiment, served, until
from tvb_nest_cosim.cosim_core.client import FINAL


@dataclass(frozen=True)
class Case:
    """A number of clients and what they do.

    Attributes:
        key: Its name.
        text: What they do.
        clients: How many.
        asks: What they ask for beside events: ``series`` or ``runs``.
        at_most: Target of the wall time's ratio to that without clients.
    """

    key: str
    text: str
    clients: int = 0
    asks: str = "series"
    at_most: float | None = None


ALONE = Case("alone", "nobody listens")
CASES = (
    ALONE,
    Case("one", "1 client streams events and asks for series", 1, at_most=1.02),
    Case("fifty", "50 clients stream events and ask for series", 50),
    Case("listing", "50 clients stream events and list runs", 50, asks="runs"),
)
TINY = (ALONE, replace(CASES[-1], clients=3))


@contextmanager
def _prepared(setting: Setting) -> Iterator[Once]:
    cases = TINY if setting.is_tiny else CASES
    order = deque(cases)
    with served() as there:

        def once() -> Values:
            wall_s, server_s = {}, {}
            for case in order:
                wall_s[case.key], server_s[case.key] = _ran(there, case, setting)
            order.rotate(-1)
            values = {"wall alone": wall_s[ALONE.key], "server alone": server_s[ALONE.key]}
            for case in cases[1:]:
                added_s = server_s[case.key] - server_s[ALONE.key]
                values[f"wall {case.key}"] = wall_s[case.key] / wall_s[ALONE.key]
                values[f"server {case.key}"] = 100 * added_s / wall_s[case.key]
            return values

        yield once


def _ran(there: Served, case: Case, setting: Setting) -> tuple[float, float]:
    """Returns wall time of a run's windows and what the server worked meanwhile, in seconds."""
    text, overrides = experiment("quickstart", setting)
    if setting.is_tiny:
        # Even so it has to last until clients have seen some of it.
        overrides = [*overrides, "duration_ms=300"]
    there.settle()
    with _clients(there, case) as watch:
        before_s = _cpu_s(there)
        run = there.client.create(text, overrides).id
        watch(run)
        until(lambda: _is_computed(there, run), f"run {run} is computed", every_s=0.5)
        # What follows, results and report, is the same for everybody.
        server_s = _cpu_s(there) - before_s
        there.client.wait(run)
    ended = there.client.run(run)
    if ended.state != "finished":
        raise RuntimeError(f"the run {ended.state}: {ended.cause}")
    return ended.wall_s or 0.0, server_s


@contextmanager
def _clients(there: Served, case: Case) -> Iterator[Callable[[str], None]]:
    """Starts clients in a process of their own; yields what lets them watch a run to its end."""
    if not case.clients:
        yield lambda run: None
        return
    command = [sys.executable, "-m", "benchmarks.clients", there.address]
    process = subprocess.Popen(
        [*command, str(case.clients), case.asks],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    told = process.stdin
    try:
        process.stdout.readline()
        yield lambda run: print(run, file=told)
        out, _ = process.communicate(timeout=WAIT_S)
    finally:
        process.kill()
        process.wait()
    if process.returncode or int(out) < case.clients:
        raise RuntimeError(f"{case.clients} clients saw {out!r} events of data")


def _is_computed(there: Served, run: str) -> bool:
    answer = there.client.run(run)
    return answer.windows == answer.windows_total or answer.state in FINAL


def _cpu_s(there: Served) -> float:
    times = there.server.cpu_times()
    return float(times.user + times.system)


BENCHMARK = Benchmark(
    name="listeners",
    text="quickstart with nobody, one and fifty clients, one after another",
    quantities=(
        Quantity("wall alone", "wall time, nobody listens", "s"),
        *(
            Quantity(f"wall {case.key}", f"wall time, {case.text}: times", at_most=case.at_most)
            for case in CASES[1:]
        ),
        Quantity("server alone", "processor time of the server, nobody listens", "s"),
        *(
            Quantity(f"server {case.key}", f"server's added work, {case.text}", "% of wall time")
            for case in CASES[1:]
        ),
    ),
    prepare=_prepared,
    repeats=7,
)
