"""JSON for scripts: one value on stdout, whatever else is shown goes to stderr."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from tvb_nest_cosim.cosim_core.errors import EXIT_BAD_INPUT, ExperimentError, Fault

if TYPE_CHECKING:
    from tvb_nest_cosim.cosim_core.results import Run
    from tvb_nest_cosim.orchestrator.run.runner import Finished

FROM_PROVENANCE = (
    *("run", "outcome", "cause", "exit_code", "digest"),
    *("windows_done", "build_s", "wall_s", "real_time_factor", "warnings"),
)
"""Keys of ``provenance.json`` that a summary repeats."""


def print_json(value: Any) -> None:
    """Prints a value, indented."""
    typer.echo(json.dumps(value, indent=2))


def verdict_tree(faults: Iterable[Fault], warnings: Iterable[str]) -> dict[str, Any]:
    """Returns what ``cosim validate --json`` prints."""
    listed = [asdict(fault) for fault in faults]
    return {"valid": not listed, "faults": listed, "warnings": list(warnings)}


def run_tree(finished: Finished, run: Run, *, with_summary: bool) -> dict[str, Any]:
    """Returns what ``cosim run --json`` prints.

    Args:
        finished: What came out of the run.
        run: Its open run directory.
        with_summary: Add mean rates, for which result files are read.
    """
    assert run.provenance is not None  # noqa: S101 - the run has just written it
    tree = run.provenance.model_dump(include=set(FROM_PROVENANCE))
    tree |= {"results": str(finished.root), "report": finished.report and str(finished.report)}
    if with_summary:
        from tvb_nest_cosim.cosim_core.results import summary

        tree["summary"] = asdict(summary(run))
    return tree


@contextmanager
def faults_as_json(*, wanted: bool) -> Iterator[None]:
    """Prints faults as JSON instead of letting them become a message; exit code 2."""
    try:
        yield
    except ExperimentError as error:
        if not wanted:
            raise
        print_json(verdict_tree(error.faults, []))
        raise typer.Exit(EXIT_BAD_INPUT) from error
