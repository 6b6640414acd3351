"""The report of a run: figures, and one page that opens offline."""

from tvb_nest_cosim.orchestrator.report.page import write_report

__all__ = ["write_report"]
