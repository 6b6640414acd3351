"""What a run leaves behind: from journals to files, and from files to arrays.

Importing this package needs nothing beyond the core; :func:`collect` needs ``h5netcdf``, and
:class:`Run` needs ``xarray``, ``pandas`` and ``neo`` (extra ``orchestrator``) where it returns
their types.
"""

from cosim_core.results.collect import Collected, collect
from cosim_core.results.digest import digest, digest_lines
from cosim_core.results.growing import plain_name
from cosim_core.results.records import RunRecords
from cosim_core.results.run import Run, open_run
from cosim_core.results.summary import (
    GROUPS,
    Summary,
    first_series,
    region_groups,
    shown_unit,
    summary,
)

__all__ = [
    "GROUPS",
    "Collected",
    "Run",
    "RunRecords",
    "Summary",
    "collect",
    "digest",
    "digest_lines",
    "first_series",
    "open_run",
    "plain_name",
    "region_groups",
    "shown_unit",
    "summary",
]
