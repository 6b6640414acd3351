"""``python -m benchmarks.soak``: runs for a while under faults; fails if a promise was broken."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.__main__ import RESULTS
from benchmarks.soak import report, sandbox
from benchmarks.soak.campaign import Campaign
from benchmarks.soak.deployment import Deployment, left_behind
from benchmarks.soak.faults import FAULTS, Fault
from benchmarks.soak.history import History
from benchmarks.soak.runs import references
from benchmarks.soak.scene import Scene
from benchmarks.soak.wall_clock import WallClock

DISK_MIB = 192
"""Room for the runs that are kept and those of a round; a run that may need more is refused."""
SPARED = 2 / 3
"""Part of the time in which the server is not ended, so that its growth can be seen."""


ROOT = Path(__file__).parents[2]


def main(arguments: list[str]) -> int:
    """Soaks; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="default: 20")
    parser.add_argument("--seed", type=int, help="of the faults; default: a new one")
    parser.add_argument("--only", help="only faults whose name holds this text")
    chosen = parser.parse_args(arguments)
    if chosen.seed is None:
        # Before the program starts itself again, which gets the same arguments.
        chosen.seed = int.from_bytes(os.urandom(3))
        arguments = [*arguments, "--seed", str(chosen.seed)]
    why_not = sandbox.enter(arguments)
    # Processes are started without the current folder in their path, and some are of this package.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    sandbox.adopt_orphans()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    missing = {"namespaces": why_not}
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cosim-soak-")))
        clock = WallClock(scratch)
        missing["clock"] = clock.missing
        home = scratch / "home"
        home.mkdir()
        if not why_not:
            stack.enter_context(sandbox.small_disk(home, DISK_MIB))
        deployment = Deployment(home, scratch, clock.environment)
        chance = random.Random(chosen.seed)  # noqa: S311 - chance that can be repeated is wanted
        scene = Scene(deployment, chance, clock, History(), references(scratch))
        campaign = Campaign(scene)
        faults = [f for f in FAULTS if (chosen.only or "") in f.name and not missing.get(f.needs)]
        began_s = time.monotonic()
        try:
            _soak(campaign, scene, faults, chosen.minutes * 60)
        finally:
            deployment.end()
            scene.history.violations += [f"left behind: {left}" for left in left_behind()]
            _tell(scene, campaign, chosen.seed, time.monotonic() - began_s, missing)
            if scene.history.violations:
                kept = RESULTS / f"soak-{chosen.seed}"
                shutil.copytree(deployment.logs, kept, dirs_exist_ok=True)
                print(f"\nlogs of server and agents: {kept}")
        return 1 if scene.history.violations else 0


def _soak(
    campaign: Campaign,
    scene: Scene,
    faults: Sequence[Fault],
    wanted_s: float,
) -> None:
    scene.deployment.restore()
    history, known = scene.history, 0
    began_s = time.monotonic()
    while (spent_s := time.monotonic() - began_s) < wanted_s:
        sparing = [fault for fault in faults if "server" not in fault.ends]
        allowed = sparing if sparing and spent_s < SPARED * wanted_s else faults
        # Those that were injected least often come first, so that a short soak has all.
        fewest = min(campaign.injected[fault.name] for fault in allowed)
        fault = scene.chance.choice([f for f in allowed if campaign.injected[f.name] == fewest])
        print(f"{spent_s:5.0f} s, {campaign.ended} runs: {fault.name}", file=sys.stderr)
        campaign.round(fault)
        for violation in history.violations[known:]:
            print(f"        {violation}", file=sys.stderr)
        known = len(history.violations)


def _tell(
    scene: Scene, campaign: Campaign, seed: int, spent_s: float, missing: dict[str, str]
) -> None:
    history = scene.history
    growths = campaign.watch.growths()
    history.violations += [
        f"{found.process}: {found.quantity} grows by {found.per_run:.3f} per run"
        for found in growths
        if not found.is_flat
    ]
    injected = {fault.name: campaign.injected[fault.name] for fault in FAULTS}
    print(f"seed {seed}, {campaign.ended} runs, {spent_s / 60:.0f} minutes\n")
    print(report.table(injected, history.ends), end="\n\n")
    print(report.growth_table(growths))
    for what, why in missing.items():
        if why:
            print(f"\nno faults that need {what}: {why}")
    left = sorted(path.name for path in scene.deployment.temporary.iterdir())
    print(f"\ntemporary files left: {', '.join(left) or 'none'}")
    print(f"\n{len(history.violations)} violations")
    for violation in history.violations:
        print(f"- {violation}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
