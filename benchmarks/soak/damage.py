"""Damages a file of a run that has ended, and reads the run in every way there is."""

from __future__ import annotations

import random
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import httpx

from benchmarks.soak.reading import read
from benchmarks.soak.scene import NothingToBreak, Scene

PATHS = (
    "", "/files", "/figures", "/report.html", "/archive.zip", "/experiment", "/connectome",
    "/series?kind=rates", "/series?kind=input", "/series?kind=tvb", "/raster", "/timing",
)  # fmt: skip
"""What can be asked about a run."""


def _truncate(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def _flip(data: bytes, chance: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(chance.choice([1, 8, 64])):
        found[chance.randrange(len(found))] ^= 1 << chance.randrange(8)
    return bytes(found)


def _zero_tail(data: bytes, chance: random.Random) -> bytes:
    """What a power cut leaves of a file that was being written on some file systems."""
    kept = chance.randrange(len(data))
    return data[:kept] + bytes(len(data) - kept)


WAYS: dict[str, Callable[[bytes, random.Random], bytes | None]] = {
    "truncated": _truncate,
    "flipped": _flip,
    "zeroed at its end": _zero_tail,
    "deleted": lambda data, chance: None,
}


def damage_and_read(scene: Scene) -> None:
    """Damages one file of a kept run, reads all of the run, and deletes the run.

    Raises:
        NothingToBreak: If no run has been kept yet.
    """
    if not scene.kept:
        raise NothingToBreak
    run = scene.kept.pop(scene.chance.randrange(len(scene.kept)))
    root, reference = scene.root(run), scene.reference(run)
    victims = [p for p in sorted(root.rglob("*")) if p.is_file() and p.stat().st_size]
    victim, way = scene.chance.choice(victims), scene.chance.choice(sorted(WAYS))
    _damage(victim, way, scene.chance)
    told = f"{victim.relative_to(root)} {way}"
    for part, found in read([(root, reference)])[0].items():
        if wrong := why_wrong(found, victim):
            scene.history.violated(f"{told}: reading {part} of {run}: {wrong}")
    for path in PATHS:
        try:
            answer = scene.deployment.get(f"/runs/{run}{path}")
        except httpx.TransportError as error:
            scene.history.violated(f"{told}: GET {path or 'run'}: {type(error).__name__}: {error}")
            continue
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            scene.history.violated(
                f"{told}: GET {path or 'run'}: {answer.status_code} {answer.text[:300]}"
            )
    del scene.history.runs[run]
    scene.deployment.ask(lambda client: client.delete(run))


def why_wrong(found: str, victim: Path) -> str:
    """Says what is wrong with what a reader made of a run with a damaged file; empty if nothing.

    Args:
        found: As :mod:`benchmarks.soak.reading` tells it.
        victim: The damaged file.
    """
    kind, _, text = found.partition(": ")
    if kind in ("same", "missing"):
        return ""
    if kind == "error":
        return "" if victim.name in text else f"the error does not name the file: {text}"
    return text or f"{kind} values without a word"


def _damage(victim: Path, way: str, chance: random.Random) -> None:
    data = WAYS[way](victim.read_bytes(), chance)
    if data is None:
        victim.unlink()
    else:
        victim.write_bytes(data)
