"""The experiments that are run, and what each of them is known to give."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers import EXAMPLES
from benchmarks.soak.deployment import run_cosim
from tvb_nest_cosim.cosim_core.results import digest, open_run

TEXT = (EXAMPLES / "quickstart.yaml").read_text(encoding="utf-8")

_SMALL = ("window.length_ms=2",)

KINDS: dict[str, tuple[str, ...]] = {
    "short-1": (*_SMALL, "adex.neurons=50", "duration_ms=20", "seed=1"),
    "short-2": (*_SMALL, "adex.neurons=30", "duration_ms=20", "seed=2"),
    "long-1": (*_SMALL, "adex.neurons=50", "duration_ms=1000", "seed=3"),
    "long-2": (*_SMALL, "adex.neurons=30", "duration_ms=1500", "seed=4"),
}
"""Changes of the quickstart by kind: small runs, and some that faults hit in the middle."""

LONG = tuple(kind for kind in KINDS if kind.startswith("long"))


@dataclass(frozen=True)
class Reference:
    """A kind of run, undisturbed and on this machine alone.

    Attributes:
        root: Its run directory.
        digest: Its digest.
    """

    root: Path
    digest: str


def references(folder: Path) -> dict[str, Reference]:
    """Carries out each kind once by ``cosim run``."""
    file = folder / "quickstart.yaml"
    file.write_text(TEXT, encoding="utf-8")
    found = {}
    for kind, changes in KINDS.items():
        root = folder / kind
        overrides = [word for change in changes for word in ("--set", change)]
        run_cosim("run", file, *overrides, "--out", root, "--no-report")
        found[kind] = Reference(root, checked_digest(kind, root))
    return found


def checked_digest(kind: str, root: Path) -> str:
    """Returns the digest of a run that computed something in both simulators.

    Raises:
        RuntimeError: If no window or no spike is in it: such a digest would miss wrong spikes.
    """
    known = digest(root)
    with open_run(root) as run:
        spikes = sum(
            len(run.spikes(region, population)[0])
            for region, populations in run.populations.items()
            for population in populations
        )
    if known is None or not spikes:
        raise RuntimeError(f"{kind} has {spikes} spikes; it cannot tell right spikes from wrong")
    return known
