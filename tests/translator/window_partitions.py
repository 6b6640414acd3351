"""Random divisions of a run into windows."""

from __future__ import annotations

import itertools

from hypothesis import strategies as st

from tvb_nest_cosim.cosim_core.model.timegrid import Window


@st.composite
def partitions(draw: st.DrawFn, ticks: int) -> list[Window]:
    """Windows of random lengths that cover ``ticks`` ticks."""
    cuts = draw(st.sets(st.integers(1, ticks - 1), max_size=12))
    edges = [0, *sorted(cuts), ticks]
    return [Window(k, a, b) for k, (a, b) in enumerate(itertools.pairwise(edges))]
