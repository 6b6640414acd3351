"""Database of the server's runs: SQLite in its folder, or PostgreSQL by URL."""

from tvb_nest_cosim.orchestrator.store.database import Database
from tvb_nest_cosim.orchestrator.store.errors import StoreError
from tvb_nest_cosim.orchestrator.store.models import FINAL, SIMULATING, RunRow, RunState
from tvb_nest_cosim.orchestrator.store.runs import NewRun, RunStore

__all__ = [
    "FINAL", "SIMULATING", "Database", "NewRun", "RunRow", "RunState", "RunStore", "StoreError",
]  # fmt: skip
