"""Results as JSON and as a table in Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.framework import Quantity, Result

_VERDICTS = {True: "yes", False: "**no**", None: ""}


def write(folder: Path, machine: dict[str, Any], now: datetime, results: Sequence[Result]) -> None:
    """Writes ``results.json`` and ``results.md``."""
    tree = {
        "measured": now.isoformat(timespec="seconds"),
        "machine": machine,
        "benchmarks": [result.tree() for result in results],
    }
    (folder / "results.json").write_text(json.dumps(tree, indent=2) + "\n")
    (folder / "results.md").write_text(markdown(machine, now, results))


def markdown(machine: dict[str, Any], now: datetime, results: Sequence[Result]) -> str:
    """Returns the table and what one has to know to read it."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    loads = [load for result in results for load in result.load]
    lines = [
        f"Measured {now:%Y-%m-%d} on {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory_bytes'] / 2**30:.0f} GB, {machine['system']}, Python "
        f"{machine['python']}, {versions}, commit {machine['commit']}. Load of the machine "
        f"meanwhile: {min(loads):.1f} to {max(loads):.1f}.",
        "",
        "| benchmark | quantity | median | range | n | target | met |",
        "|---|---|---|---|---|---|---|",
        *(row for result in results for row in _rows(result)),
    ]
    return "\n".join(lines) + "\n"


def _rows(result: Result) -> Iterator[str]:
    for quantity in result.benchmark.quantities:
        if samples := result.samples.get(quantity.key):
            median = result.median(quantity.key)
            cells = [
                result.benchmark.name, quantity.text, _shown(median, quantity),
                f"{rounded(min(samples))} to {rounded(max(samples))}", str(len(samples)),
                quantity.target, _VERDICTS[quantity.is_met(median)],
            ]  # fmt: skip
            yield f"| {' | '.join(cells)} |"


def _shown(value: float, quantity: Quantity) -> str:
    return f"{rounded(value)} {quantity.unit}".rstrip()


def rounded(value: float) -> str:
    """Writes a value with three digits, or all digits before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
