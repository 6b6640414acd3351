"""Oracle 2 through the whole system: NEST in one piece does what NEST did window by window.

The drive that TVB sent in a co-simulation, kept in the journal, goes to NEST in one window as long
as the run, that is one ``Simulate``. The spikes have to be the same. (tests/nest compares with
scripts that do not use the NEST service at all.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tvb_nest_cosim.cosim_core.results import digest_lines
from tvb_nest_cosim.orchestrator.run.replay import compare


@pytest.mark.parametrize(
    "kinds", [("poisson", "mip"), ("sip", "trains"), ("current", "poisson")], ids="+".join
)
def test_one_piece_or_many(
    kinds: tuple[str, str],
    tiny: dict[str, Any],
    finished: Callable[..., Any],
    finished_here: Callable[..., Any],
) -> None:
    for group, kind in zip(tiny["spiking"], kinds, strict=True):
        group["drive"] = {"kind": kind, "correlation": 0.2, "current_pA_per_hz": 0.6}
        group["tracts"] = {"synapses_per_weight": 50.0, "weight": 1.0}
    # one pair of kinds crosses real sockets
    windowed = (finished if "mip" in kinds else finished_here)(tiny)
    assert windowed.planned.plan.grid.window_count > 5

    tiny["simulators"] = "nest"
    tiny["stand_in"] = {"kind": "journal", "run": str(windowed.root)}
    tiny["window"] = {"length_ms": tiny["duration_ms"], "lookahead": 1}
    whole = finished_here(tiny)
    assert whole.planned.plan.grid.window_count == 1
    assert compare(windowed.root, whole.root, "nest") == []
    assert len([line for line in digest_lines(whole.root) if line.startswith("spikes")]) == 4


def test_another_drive_is_noticed(tiny: dict[str, Any], finished_here: Callable[..., Any]) -> None:
    """The oracle can fail."""
    tiny["duration_ms"] = 30.0
    windowed = finished_here(tiny)
    tiny["simulators"] = "nest"
    tiny["stand_in"] = {"kind": "constant", "hz": 3.0}
    other = finished_here(tiny)
    assert compare(windowed.root, other.root, "nest") != []
