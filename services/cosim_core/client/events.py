"""Live events of a run: cut from the lines of a server-sent event stream."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tvb_nest_cosim.cosim_core.outcomes import FINAL_STATES

FINAL = FINAL_STATES | {"deleted"}
"""States of a run after which nothing happens."""


@dataclass(frozen=True)
class LiveEvent:
    """Something that happened to a run.

    Attributes:
        id: Its identity.
        kind: ``state``, ``progress``, ``data``, ``log`` or ``dropped``.
        data: What happened.
    """

    id: str
    kind: str
    data: dict[str, Any]

    @property
    def is_last(self) -> bool:
        """Whether the run has ended with it."""
        return self.kind == "state" and self.data["state"] in FINAL


class EventParser:
    """Cuts lines of a server-sent event stream into events."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}

    def feed(self, line: str) -> LiveEvent | None:
        """Takes a line without its end; returns the event that it completes, if any."""
        if line:
            name, _, value = line.partition(":")
            if name:
                self._fields[name] = value.removeprefix(" ")
            return None
        fields, self._fields = self._fields, {}
        if "data" not in fields:
            return None
        kind = fields.get("event", "message")
        return LiveEvent(fields.get("id", ""), kind, json.loads(fields["data"]))
