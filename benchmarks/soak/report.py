"""The table of a soak."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from benchmarks.soak.resources import Growth

_ENDS = ("finished", "failed", "interrupted", "refused")


def table(injected: Mapping[str, int], ends: Mapping[str, Counter[str]]) -> str:
    """Returns the faults and how the runs ended that went on meanwhile, as Markdown.

    Args:
        injected: How often each fault was injected, by its name.
        ends: How the exposed runs ended, by fault.
    """
    lines = [f"| fault | times | {' | '.join(_ENDS)} |", f"|---|---|{'---|' * len(_ENDS)}"]
    for name, times in injected.items():
        found = ends.get(name, Counter())
        cells = " | ".join(str(found[end] or "") for end in _ENDS)
        lines.append(f"| {name} | {times or 'left out'} | {cells} |")
    return "\n".join(lines)


def growth_table(growths: Sequence[Growth]) -> str:
    """Returns what long-lived processes held at first and at last, as Markdown."""
    lines = ["| process | quantity | runs | first | last | per run | flat |", f"|{'---|' * 7}"]
    for found in growths:
        flat = "yes" if found.is_flat else "**no**"
        lines.append(
            f"| {found.process} | {found.quantity} | {found.runs} | {found.first:.1f} "
            f"| {found.last:.1f} | {found.per_run:+.3f} | {flat} |"
        )
    return "\n".join(lines)
