"""Results of a run: from journals to files, and from files to arrays.

:func:`complete` makes the results of a run whole. Importing this package needs nothing beyond the
core; :func:`collect` needs ``h5netcdf``, and
:class:`Run` needs ``xarray``, ``pandas`` and ``neo`` (extra ``orchestrator``) where it returns
their types.
"""

from tvb_nest_cosim.cosim_core.results.collect import collect
from tvb_nest_cosim.cosim_core.results.complete import complete, list_drawn, seal
from tvb_nest_cosim.cosim_core.results.digest import check_records, digest, digest_lines
from tvb_nest_cosim.cosim_core.results.growing import plain_name
from tvb_nest_cosim.cosim_core.results.run import Run, open_run
from tvb_nest_cosim.cosim_core.results.summary import (
    GROUPS,
    Summary,
    first_series,
    region_groups,
    shown_unit,
    summary,
)
from tvb_nest_cosim.cosim_core.run_dir.records import RunRecords

__all__ = [
    "GROUPS",
    "Run",
    "RunRecords",
    "Summary",
    "check_records",
    "collect",
    "complete",
    "digest",
    "digest_lines",
    "first_series",
    "list_drawn",
    "open_run",
    "plain_name",
    "region_groups",
    "seal",
    "shown_unit",
    "summary",
]
