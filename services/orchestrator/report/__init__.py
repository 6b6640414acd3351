"""The report of a run: figures, and one page that opens offline."""

from orchestrator.report.page import write_report

__all__ = ["write_report"]
