"""Small sweeps for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tvb_nest_cosim.cosim_core.model.experiment.faults import parse_as
from tvb_nest_cosim.orchestrator.sweep.model import Sweep
from tvb_nest_cosim.orchestrator.sweep.points import Point, resolve

Tree = dict[str, Any]

TINY: Tree = {
    "name": "tiny",
    "simulators": "tvb",
    "duration_ms": 20.0,
    "connectome": {"normalise": "region"},
    "adex": {"neurons": 50},
    "tvb": {
        "coupling": {"name": "Linear", "parameters": {"a": 0.2}},
        "initial": {"E": 0.007, "I": 0.02, "W_e": 70},
    },
}
"""TVB alone starts quickest."""

B, DRIVE = "adex.excitatory.b_pA", "adex.external_hz"

STATISTICS: Tree = {"discard_ms": 5, "frequency_resolution_hz": 100}


def grid(**vary: Any) -> Tree:
    """Returns a design; double underscores stand for dots."""
    axes = {name.replace("__", "."): {"values": values} for name, values in vary.items()}
    return {"kind": "grid", "vary": axes}


def make_sweep(design: Tree, **more: Any) -> Sweep:
    return parse_as(Sweep, {"experiment": "tiny.yaml", "design": design, **more})


def points_of(design: Tree, base: Tree | None = None, **more: Any) -> list[Point]:
    return resolve(make_sweep(design, **more), base or TINY, "the base")


def write_sweep(folder: Path, design: Tree, base: Tree | None = None, **more: Any) -> Path:
    """Writes a sweep and its experiment."""
    (folder / "tiny.yaml").write_text(yaml.safe_dump(base or TINY))
    tree = {
        "name": "tiny sweep", "experiment": "tiny.yaml", "design": design,
        "statistics": STATISTICS, **more,
    }  # fmt: skip
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(tree, sort_keys=False))
    return path
