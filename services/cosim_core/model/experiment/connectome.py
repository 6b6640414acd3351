"""Which connectome, and how its tracts become delays and couplings."""

from __future__ import annotations

from typing import Literal

from tvb_nest_cosim.cosim_core.model.experiment.base import FileName, Part, Positive


class ConnectomeChoice(Part):
    """The structural connectome.

    ``source`` is the name of a connectome in the tvb-data package (``connectivity_76``), the name
    of one that ``cosim data fetch`` downloads (``allen-mouse``), or the path of a TVB
    connectivity zip, relative to the experiment file.
    """

    source: FileName = "connectivity_76"
    """Name or path."""
    speed_mm_per_ms: Positive = 3.0
    """Conduction speed; 1 mm/ms is 1 m/s."""
    length_unit_mm: Positive = 1.0
    """Length of one unit of the file's tract lengths, in mm."""
    normalise: Literal["none", "max", "region"] = "max"
    """Weights as in the file, scaled to a maximum of 1, or to inputs that sum to 1 per region."""
    weight_scale: Positive = 1.0
    """Factor on all weights after normalisation."""
