"""tvb-library is imported once, quietly, before any test of this folder names it."""

from __future__ import annotations

from tvb_nest_cosim.tvb_service.library import load_tvb

load_tvb()
