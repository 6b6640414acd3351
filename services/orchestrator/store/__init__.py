"""What the service remembers of its runs: SQLite in its folder, or PostgreSQL by URL."""

from orchestrator.store.database import Database
from orchestrator.store.models import FINAL, SIMULATING, RunRow, RunState
from orchestrator.store.runs import NewRun, RunStore

__all__ = ["FINAL", "SIMULATING", "Database", "NewRun", "RunRow", "RunState", "RunStore"]
