"""New data and log lines of a run that goes on, read from its journals and logs.

Simulators and translator take no part in this: a look costs a bounded time of the server, and
there is none unless a client listens.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.run_dir.journal_tail import JournalTail
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.logs import LogTail
from tvb_nest_cosim.cosim_core.run_dir.records import RunRecords
from tvb_nest_cosim.orchestrator.server.live.curves import raster, series
from tvb_nest_cosim.orchestrator.server.live.sources import JournalSource, new_blocks

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


class Tail:
    """New data and log lines of one run; a look is safe against what is being written.

    Args:
        layout: Paths of the run.
    """

    def __init__(self, layout: RunLayout) -> None:
        self._layout = layout
        self._logs: dict[Path, LogTail] = {}
        self._journals: dict[str, list[JournalTail]] = {}

    def look(
        self, records: RunRecords | None
    ) -> tuple[list[dict[str, str]], dict[str, Any] | None]:
        """Returns the bodies of ``log`` events and, if there are data, of a ``data`` event.

        Args:
            records: The run; None while it is being built.
        """
        try:
            return self._new_lines(), self._new_data(records) if records else None
        except Exception as error:
            # What a damaged folder raises must not end the stream of those who watch.
            trace = None if isinstance(error, OSError | RunDirectoryError) else error
            _logger.warning("no live data of %s: %s", self._layout.root.name, error, exc_info=trace)
            return [], None

    def _new_lines(self) -> list[dict[str, str]]:
        entries = []
        for path in sorted(self._layout.logs.glob("*.jsonl")):
            tail = self._logs.setdefault(path, LogTail(path, LOG_BYTES))
            entries += [entry for line in tail.new() if (entry := _entry(line)) is not None]
        return sorted(entries, key=lambda entry: entry["time"])

    def _new_data(self, records: RunRecords) -> dict[str, Any] | None:
        if not self._journals:
            roles = records.plan.participants
            self._journals = {role: records.tails(role, LOOK_BYTES) for role in roles}
        source = JournalSource(records, lambda role: new_blocks(self._journals.get(role, ())))
        data = {
            "rates": series(source, "rates", POINTS, None)["rates"],
            "tvb": series(source, "tvb", POINTS, _shown_regions(records))["tvb"],
            "raster": raster(source, 0.0, float("inf"), SPIKES, NEURONS)["raster"],
        }
        is_new = data["rates"] or data["tvb"]["regions"] or data["raster"]
        return data if is_new else None


def _shown_regions(records: RunRecords) -> list[str]:
    spiking = [region.name for region in records.plan.regions]
    nodes = next((facts.nodes for facts in records.built.monitors.values()), [])
    others = [name for name in nodes if name not in spiking]
    wanted = max(0, TVB_REGIONS - len(spiking))
    step = max(1, -(-len(others) // max(1, wanted)))
    return [*spiking, *others[::step][:wanted]][:TVB_REGIONS]


def _entry(line: bytes) -> dict[str, str] | None:
    """Returns the parts of a line that a client gets; None of what is not a log line."""
    try:
        tree = json.loads(line)
        return {key: str(tree[key]) for key in ("time", "level", "participant", "message")}
    except (ValueError, KeyError, TypeError):
        return None
