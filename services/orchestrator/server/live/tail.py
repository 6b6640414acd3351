"""What is new in a run that goes on, read from its journals and logs beside the simulators.

Nobody who computes takes part in this: a look costs a bounded time of the server, and there is
none unless somebody listens.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.run_dir.journal_tail import JournalTail
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.orchestrator.server.live.extract import View

_logger = logging.getLogger(__name__)

LOOK_BYTES = 2 * 1024 * 1024
"""Most that one look reads of a journal; of more, only the newest is shown."""

LOG_BYTES = 64 * 1024
"""Most that one look reads of a log."""

POINTS = 40
"""Points per curve and event."""

SPIKES = 400
"""Spikes per region and event."""

NEURONS = 200
"""Neurons of a region that the live raster shows."""

TVB_REGIONS = 12
"""Regions of TVB whose curves are live: the spiking ones, and others spread evenly."""


class LiveData:
    """New data of a run since the last look.

    Args:
        layout: Paths of the run.
        view: What is known of the run.
    """

    def __init__(self, layout: RunLayout, view: View) -> None:
        self._view = view
        self._tails = {
            role: [JournalTail(layout.journal(role, rank), LOOK_BYTES) for rank in range(ranks)]
            for role, ranks in view.plan.participants.items()
        }
        self._regions = _shown_regions(view)

    def new(self) -> dict[str, Any] | None:
        """Returns the body of a ``data`` event; None if nothing is new."""
        view = self._view
        blocks = {
            role: [block for tail in tails for block in tail.new()]
            for role, tails in self._tails.items()
        }
        rates = view.rates(blocks.get("translator", ()), POINTS)
        tvb = view.tvb(blocks.get("tvb", []), self._regions, POINTS)
        raster = view.raster(blocks.get("nest", ()), SPIKES, NEURONS)
        if not (rates or tvb.regions or raster):
            return None
        return {
            "rates": rates,
            "tvb": asdict(tvb),
            "raster": raster,
        }


def _shown_regions(view: View) -> list[str]:
    spiking = [region.name for region in view.plan.regions]
    nodes = next((facts.nodes for facts in view.built.monitors.values()), [])
    others = [name for name in nodes if name not in spiking]
    wanted = max(0, TVB_REGIONS - len(spiking))
    step = max(1, -(-len(others) // max(1, wanted)))
    return [*spiking, *others[::step][:wanted]][:TVB_REGIONS]


class LiveLogs:
    """New lines of all logs of a run.

    Args:
        layout: Paths of the run.
    """

    def __init__(self, layout: RunLayout) -> None:
        self._folder = layout.logs
        self._offsets: dict[Path, int] = {}

    def new(self) -> list[dict[str, str]]:
        """Returns the bodies of ``log`` events, by file in the order written."""
        lines: list[dict[str, str]] = []
        for path in sorted(self._folder.glob("*.jsonl")):
            for line in self._read(path):
                entry = _entry(line)
                if entry is not None:
                    lines.append(entry)
        return sorted(lines, key=lambda entry: entry["time"])

    def _read(self, path: Path) -> list[bytes]:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            offset = max(self._offsets.get(path, 0), size - LOG_BYTES)
            file.seek(offset)
            data = file.read(LOG_BYTES)
        whole = data.rfind(b"\n") + 1
        self._offsets[path] = offset + whole
        return data[:whole].splitlines()


def _entry(line: bytes) -> dict[str, str] | None:
    """Returns what a client sees of a line; None of one that was cut or is no log line."""
    try:
        tree = json.loads(line)
        return {key: str(tree[key]) for key in ("time", "level", "participant", "message")}
    except (ValueError, KeyError, TypeError):
        return None


class Tail:
    """Live data and logs of one run, each look safe against what is being written."""

    def __init__(self, layout: RunLayout) -> None:
        self._layout = layout
        self._logs = LiveLogs(layout)
        self._data: LiveData | None = None

    def look(self, view: View | None) -> tuple[list[dict[str, str]], dict[str, Any] | None]:
        """Returns new log lines and, once everything is built, new data.

        Args:
            view: What is known of the run; None while it is being built.
        """
        if self._data is None and view is not None:
            self._data = LiveData(self._layout, view)
        try:
            return self._logs.new(), self._data.new() if self._data else None
        except (OSError, RunDirectoryError) as error:
            _logger.warning("no live data of %s: %s", self._layout.root.name, error)
            return [], None
