"""Every shipped experiment runs, at reduced size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import EXAMPLES, EXPERIMENTS, SHARED_DATA
from tvb_nest_cosim.cosim_core.model.experiment import Experiment, load_experiment
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.orchestrator.planning import datasets

FILES = [path.relative_to(EXAMPLES).as_posix() for path in EXPERIMENTS]
SMALLER = {
    "custom_network/experiment.yaml": ["spiking.0.network.parameters.neurons=50"],
    "brunel_region.yaml": ["spiking.0.network.parameters.neurons=100"],
}


IN_PROCESSES = ("quickstart.yaml", "custom_network/experiment.yaml")
"""As users have them; the others in threads of this process."""


def smaller(name: str) -> Experiment:
    """Loads an example with fewer neurons and little time, in as many threads as this machine has.

    Connection probabilities grow as neurons shrink, so that every neuron keeps some partners.
    """
    path = EXAMPLES / name
    overrides = ["duration_ms=15", *SMALLER.get(name, [])]
    if load_experiment(path).adex is not None:
        overrides += ["adex.neurons=100", "adex.p_connect=0.2"]
    return load_experiment(path, overrides)


@pytest.fixture
def connectomes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the mouse connectome available without a network, where a copy of it is at hand."""
    copy = SHARED_DATA / "ConnectivityAllen2mm.zip"
    if copy.is_file():
        monkeypatch.setenv("COSIM_DATA_DIR", str(tmp_path / "data"))
        datasets.fetch("allen-mouse", source=copy)


@pytest.mark.usefixtures("connectomes")
@pytest.mark.parametrize("name", FILES)
def test_example_runs(
    name: str, finished: Callable[..., Any], finished_here: Callable[..., Any]
) -> None:
    experiment = smaller(name)
    if (
        experiment.connectome.source == "allen-mouse"
        and not datasets.cached("allen-mouse").is_file()
    ):
        pytest.skip("the connectome allen-mouse is not here: cosim data fetch allen-mouse")
    carry_out = finished if name in IN_PROCESSES else finished_here
    ran = carry_out(experiment.model_dump(mode="json"), base=(EXAMPLES / name).parent)
    layout = RunLayout(ran.root)
    assert layout.tvb.exists() == (experiment.simulators != "nest")
    assert layout.rates.exists() == (experiment.simulators != "tvb" or bool(experiment.stand_in))
    assert layout.spikes.exists() == (experiment.simulators != "tvb")
