"""The experiment tree: what a user writes, checked, frozen, with every default filled in."""

from tvb_nest_cosim.cosim_core.model.experiment.adex import AdexRegion, zerlaut_parameters
from tvb_nest_cosim.cosim_core.model.experiment.connectome import ConnectomeChoice
from tvb_nest_cosim.cosim_core.model.experiment.load import (
    apply_overrides,
    experiment_schema,
    load_experiment,
    parse,
)
from tvb_nest_cosim.cosim_core.model.experiment.spiking import (
    ADEX_NETWORK,
    HOP_TICKS,
    Drive,
    Feed,
    Rate,
    SpikingGroup,
)
from tvb_nest_cosim.cosim_core.model.experiment.tree import Constant, Experiment, File, RunJournal
from tvb_nest_cosim.cosim_core.model.experiment.tvb import Monitor, TvbSide

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
