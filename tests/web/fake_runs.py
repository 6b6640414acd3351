"""Invented runs: they count windows, make up rates and spikes, and obey commands."""

from __future__ import annotations

import json
import math
import random
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tvb_nest_cosim.cosim_core.client.responses import FaultAnswer
from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.cosim_core.model.experiment.lines import lines_of
from tvb_nest_cosim.cosim_core.model.experiment.load import dump_yaml, load_text

FINAL = ("finished", "failed", "interrupted", "refused")
WINDOW_MS = 3.7
PROCESSES = ("nest-0", "tvb-0", "translator-0")
REGIONS = ("rHC", "lHC")
POPULATIONS = {"excitatory": 400, "inhibitory": 100}
LABELS = [f"{side}{name}" for side in "rl" for name in [
    "HC", "A1", "A2", "AMYG", "CCA", "CCP", "CCR", "CCS", "FEF", "G", "IA", "IP", "M1", "PCI",
    "PCIP", "PCM", "PCS", "PFCCL", "PFCDL", "PFCDM", "PFCM", "PFCORB", "PFCPOL", "PFCVL", "PHC",
    "PMCDL", "PMCM", "PMCVL", "S1", "S2", "TCC", "TCI", "TCPOL", "TCS", "TCV", "V1", "V2", "VACD",
]]  # fmt: skip


def page(runs: dict[str, FakeRun], query: dict[str, str]) -> dict[str, Any]:
    """Returns a page of runs, the newest first."""
    state, search = query.get("state", ""), query.get("search", "").lower()
    found = [
        run.answer()
        for run in reversed(list(runs.values()))
        if (not state or run.state == state)
        and search in f"{run.id} {run.name} {run.label or ''}".lower()
    ]
    offset, limit = int(query.get("offset", 0)), int(query.get("limit", 50))
    return {"total": len(found), "items": found[offset : offset + limit]}


@cache
def examples(folder: Path) -> dict[str, Any]:
    """Returns the shipped experiments."""
    files = [path for path in sorted(folder.glob("*.yaml")) if not path.name.startswith("sweep_")]
    trees = {path.stem: yaml.safe_load(path.read_text()) for path in files}
    return {"items": [{"name": k, "description": t["description"]} for k, t in trees.items()]}


def verdict(body: dict[str, Any]) -> dict[str, Any]:
    """Checks an experiment as far as its own rules go; the plan is invented."""
    try:
        with lines_of(body["yaml"], body["overrides"]):
            experiment = load_text(body["yaml"], "the experiment", body["overrides"])
    except ExperimentError as error:
        faults = [FaultAnswer.of(fault).model_dump() for fault in error.faults]
        return {"valid": False, "faults": faults, "warnings": [], "plan": None}
    plan = {
        "name": experiment.name, "duration_ms": experiment.duration_ms, "window_ms": WINDOW_MS,
        "window_count": math.ceil(experiment.duration_ms / WINDOW_MS), "limit_ms": 7.4,
        "limit_edge": "rHC > rPHC, 7.5 ms", "lookahead": 2, "memory_bytes": 566_000_000,
        "participants": {"tvb": 1, "nest": experiment.resources.nest.ranks, "translator": 1},
        "disk_bytes": 9_100_000,
    }  # fmt: skip
    warnings = ["W_i is not sent: no coupling variable"] if experiment.spiking else []
    tree = experiment.model_dump(mode="json")
    return {"valid": True, "faults": [], "warnings": warnings, "plan": plan, "experiment": tree}


def from_body(body: dict[str, Any]) -> dict[str, Any]:
    """Returns the values of a new run."""
    experiment = load_text(body["yaml"], "the experiment", body["overrides"])
    return {
        "name": experiment.name, "label": body.get("label"), "duration_ms": experiment.duration_ms,
        "yaml": dump_yaml(experiment),
    }  # fmt: skip


def figure(name: str) -> bytes:
    """Returns a picture."""
    points = " ".join(f"{x},{60 + 40 * math.sin(x / 17 + len(name)):.1f}" for x in range(0, 240, 4))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 120">'
        '<path d="M10 5V110H235" fill="none" stroke="#262b33"/>'
        f'<polyline points="{points}" fill="none" stroke="#d55e00" stroke-width="2"/></svg>'
    ).encode()


def rate_hz(region: int, population: int, t_ms: float) -> float:
    """Returns an invented rate."""
    wave = math.sin(t_ms / 60 + region) + 0.6 * math.sin(t_ms / 17 + population)
    return max(0.0, (6 + 14 * population) * (1 + 0.25 * wave))


def _rates(times: list[float]) -> dict[str, Any]:
    return {
        region: {
            population: [[t, round(rate_hz(r, p, t), 3)] for t in times]
            for p, population in enumerate(POPULATIONS)
        }
        for r, region in enumerate(REGIONS)
    }


def _tvb(times: list[float], regions: list[str]) -> dict[str, Any]:
    curves = {
        name: [[t, 8 + 3 * math.sin(t / 80 + LABELS.index(name))] for t in times]
        for name in regions
    }
    return {"variable": "E", "unit": "Hz", "regions": curves}


def _spikes(from_ms: float, to_ms: float) -> dict[str, list[list[float]]]:
    draw = random.Random(int(from_ms * 10))  # noqa: S311 - invented data
    expected = 0.01 * (to_ms - from_ms) * sum(POPULATIONS.values()) / 10
    count = round(expected * 10)
    return {
        region: [
            [round(from_ms + (to_ms - from_ms) * (i + 1) / count, 1), draw.randrange(500)]
            for i in range(count)
        ]
        for region in REGIONS
    }


@dataclass
class FakeRun:
    """One invented run; times are in ms, durations of wall time in s."""

    id: str
    name: str = "quickstart"
    label: str | None = None
    state: str = "queued"
    cause: str | None = None
    duration_ms: float = 1000.0
    windows: int = 0
    per_tick: int = 6
    """Windows per tick of the server's clock (30 ms)."""
    yaml: str = "name: quickstart\n"
    digest: str | None = None
    faults: list[dict[str, str]] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    age: int = 0
    silent_asks: int = 0
    """Questions for single spikes that are not answered."""

    def __post_init__(self) -> None:
        self.total = math.ceil(self.duration_ms / WINDOW_MS)
        self.created = datetime.now(UTC).isoformat()
        self.changed = threading.Condition()
        self.goal = self.total
        if self.state in FINAL and not self.windows and self.state == "finished":
            self.windows, self.digest = self.total, self.digest or "5f" * 32

    @property
    def is_over(self) -> bool:
        return self.state in FINAL

    def answer(self) -> dict[str, Any]:
        return {
            "id": self.id, "label": self.label, "name": self.name, "state": self.state,
            "cause": self.cause, "created": self.created, "started": self.created,
            "ended": self.created if self.is_over else None, "windows": self.windows,
            "windows_total": self.total, "duration_ms": self.duration_ms,
            "wall_s": 0.031 * self.windows if self.is_over else None, "digest": self.digest,
            "faults": self.faults, "links": {},
        }  # fmt: skip

    def publish(self, kind: str, data: dict[str, Any]) -> None:
        with self.changed:
            text = json.dumps(data)
            self.events.append(f"id: {len(self.events) + 1}\nevent: {kind}\ndata: {text}\n\n")
            self.changed.notify_all()

    def frames(self, sent: int) -> list[str]:
        return self.events[sent:]

    def wait_for_event(self, sent: int) -> None:
        with self.changed:
            self.changed.wait_for(lambda: len(self.events) > sent, timeout=0.1)

    def log(self, level: str, message: str, participant: str = "nest-0") -> None:
        time = datetime.now(UTC).isoformat()
        entry = {"time": time, "level": level, "participant": participant, "message": message}
        self.publish("log", entry)

    def become(self, state: str, cause: str | None = None) -> None:
        self.state, self.cause = state, cause
        if state in ("finished", "interrupted"):
            self.digest = "5f" * 32
        self.publish("state", {"state": state, "cause": cause})

    def command(self, what: str, body: dict[str, Any]) -> None:
        if what == "pause":
            self.goal = self.windows
            self.become("paused")
        elif what == "resume":
            self.goal = self.total
            self.become("running")
        elif what == "step":
            self.goal = min(self.total, self.windows + body["windows"])
        elif what in ("stop", "abort"):
            self.become("interrupted", "stopped by the user")

    def tick(self) -> None:
        self.age += 1
        if self.state == "queued" and self.age > 3:
            self.become("building")
            self.log("info", "2 regions built: 1000 neurons, 200412 synapses")
        elif self.state == "building" and self.age > 9:
            self.become("running")
            self.log("warning", "W_i of the proxies is not fed", "tvb-0")
        elif self.state == "finishing" and self.age > 30:
            self.become("finished")
        elif self.state in ("running", "paused") and self.windows < self.goal:
            self.advance(min(self.per_tick, self.goal - self.windows))

    def advance(self, windows: int) -> None:
        before, self.windows = self.windows * WINDOW_MS, self.windows + windows
        now = min(self.duration_ms, self.windows * WINDOW_MS)
        times = [round(before + k * (now - before) / 8, 4) for k in range(1, 9)]
        tvb = _tvb(times, LABELS[:12])
        self.publish("data", {"rates": _rates(times), "tvb": tvb, "raster": _spikes(before, now)})
        wall_s, waits = 0.031 * self.windows, ((0.87, None), (0.31, "nest-0"), (0.06, "nest-0"))
        peers = [
            {"name": name, "state": "running", "windows": self.windows, "waiting_for": whom,
             "compute_s": share * wall_s, "wait_s": (1 - share) * wall_s}
            for name, (share, whom) in zip(PROCESSES, waits, strict=True)
        ]  # fmt: skip
        progress = {
            "windows": self.windows, "total": self.total, "simulated_ms": now, "speed": 8.4,
            "eta_s": 0.031 * (self.total - self.windows), "peers": peers,
        }  # fmt: skip
        self.publish("progress", progress)
        if self.windows == self.total:
            self.age = 0
            self.become("finishing")

    def look(self, name: str, query: dict[str, str]) -> Any:
        """Returns what is asked about the run; None if it has no such thing (yet)."""
        now = min(self.duration_ms, self.windows * WINDOW_MS)
        points = min(int(query.get("max_points", 2000)), max(0, int(now)))
        times = [now * (k + 1) / points for k in range(points)]
        done = self.is_over and self.windows > 0
        match name:
            case "series" if query["kind"] == "rates":
                return {"kind": "rates", "rates": _rates(times)}
            case "series":
                wanted = query.get("regions")
                names = wanted.split(",") if wanted else LABELS
                return {"kind": "tvb", "tvb": _tvb(times, names)}
            case "raster" if self.silent_asks:
                self.silent_asks -= 1
            case "raster":
                sizes = dict.fromkeys(REGIONS, POPULATIONS)
                spikes = _spikes(float(query["from_ms"]), float(query["to_ms"]))
                return {"raster": spikes, "totals": {}, "populations": sizes}
            case "connectome" if self.windows:
                return connectome()
            case "timing" if done:
                return timing(self.windows)
            case "figures" | "files" if not done:
                return {"items": []}
            case "figures":
                names = ("rates", "raster", "timing", "psd")
                return {
                    "items": [
                        {"name": f"{n}.{e}", "bytes": 1} for n in names for e in ("png", "svg")
                    ]
                }
            case "files":
                files = ("experiment.yaml", "spikes.h5", "tvb.nc", "rates.nc", "nest-0.jsonl")
                return {"items": [{"name": name, "bytes": 123456} for name in files]}
        return None


def timing(windows: int) -> dict[str, Any]:
    """Returns mean seconds per window."""
    phases = {
        "wait": 0.004, "receive": 0.0, "absorb": 0.001, "advance": 0.024, "read": 0.0,
        "encode": 0.0, "send": 0.001, "record": 0.002,
    }  # fmt: skip
    each = {"windows": [0], "counts": [windows], **{phase: [s] for phase, s in phases.items()}}
    return {"phases": list(phases), "participants": dict.fromkeys(PROCESSES, each)}


def connectome() -> dict[str, Any]:
    """Returns regions on two half shells, neighbours joined."""
    draw, half = random.Random(7), len(LABELS) // 2  # noqa: S311 - invented data
    centres = []
    for i in range(len(LABELS)):
        side, angle, height = (1 if i < half else -1), (i % half) * 2.4, 1 - 2 * (i % half) / half
        ring = math.sqrt(max(0.0, 1 - height * height))
        centres.append(
            [
                side * (6 + 50 * ring * abs(math.cos(angle))),
                75 * ring * math.sin(angle),
                55 * height,
            ]
        )
    weights = [[_weight(a, b, draw) for b in centres] for a in centres]
    return {"labels": LABELS, "centres": centres, "weights": weights, "spiking": [0, half]}


def _weight(a: list[float], b: list[float], draw: random.Random) -> float:
    is_joined = a is not b and draw.random() < 0.4
    return math.exp(-math.dist(a, b) / 18) * draw.random() if is_joined else 0.0
