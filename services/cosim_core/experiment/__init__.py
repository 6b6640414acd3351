"""The experiment tree: what a user writes, checked, frozen, with every default filled in."""

from cosim_core.experiment.adex import AdexRegion, zerlaut_parameters
from cosim_core.experiment.connectome import ConnectomeChoice
from cosim_core.experiment.load import apply_overrides, experiment_schema, load_experiment, parse
from cosim_core.experiment.spiking import (
    ADEX_NETWORK,
    HOP_TICKS,
    Drive,
    Feed,
    Rate,
    SpikingGroup,
)
from cosim_core.experiment.tree import Constant, Experiment, File, RunJournal
from cosim_core.experiment.tvb import Monitor, TvbSide

__all__ = [
    "ADEX_NETWORK",
    "HOP_TICKS",
    "AdexRegion",
    "ConnectomeChoice",
    "Constant",
    "Drive",
    "Experiment",
    "Feed",
    "File",
    "Monitor",
    "Rate",
    "RunJournal",
    "SpikingGroup",
    "TvbSide",
    "apply_overrides",
    "experiment_schema",
    "load_experiment",
    "parse",
    "zerlaut_parameters",
]
