"""Reading a run: data sets, spike trains, and a few numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from elephant.statistics import mean_firing_rate

from results.conftest import MakeRun
from results.synthetic_run import DT_MS, POPULATIONS, REGIONS, Activity, completed, labels
from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.results import Run, open_run, region_groups, summary
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.provenance import Provenance
from tvb_nest_cosim.cosim_core.run_dir.recorder import PHASES


@pytest.fixture
def run(make_run: MakeRun) -> Iterator[Run]:
    root = make_run()
    completed(root)
    with open_run(root) as run:
        yield run


def test_spiketrains_cover_every_neuron_and_elephant_takes_them(run: Run) -> None:
    activity = Activity.make()
    trains = run.spiketrains("rHC", "excitatory")
    assert len(trains) == POPULATIONS["excitatory"]
    for neuron, train in enumerate(trains):
        ticks = activity.spikes["rHC"][activity.spikes["rHC"][:, 1] == neuron, 0]
        np.testing.assert_array_equal(train.magnitude, np.round(ticks * DT_MS, 6))
        assert train.annotations == {
            "region": "rHC",
            "population": "excitatory",
            "neuron": neuron,
        }
    spikes = sum(map(len, trains))
    rates_hz = [float(mean_firing_rate(train).rescale("Hz")) for train in trains]
    assert np.mean(rates_hz) == pytest.approx(spikes / len(trains) / 0.06)


def test_data_sets_and_tables(run: Run) -> None:
    assert set(run.tvb.data_vars) == {"TemporalAverage"}
    assert run.rates.sizes["time"] == 600
    assert set(run.analog.data_vars) == {"V_m_rHC_0", "V_m_lHC_0"}
    assert list(run.timing.columns) == [
        *("participant", "rank", "window"),
        *(f"{phase}_s" for phase in PHASES),
    ]
    assert len(run.timing) == 15 * 4
    assert run.timing["advance_s"].max() == pytest.approx(0.64)
    assert run.experiment.name == "two hippocampi"
    assert run.plan.window_ticks == 40
    assert run.provenance is None


def test_summary_counts_every_spike_and_groups_every_region(run: Run) -> None:
    activity = Activity.make()
    found = summary(run)
    assert (found.windows, found.windows_planned, found.simulated_ms) == (15, 15, 60.0)
    inhibitory = int((activity.spikes["lHC"][:, 1] >= POPULATIONS["excitatory"]).sum())
    assert found.rates_hz["lHC"]["inhibitory"] == pytest.approx(inhibitory / 20 / 0.06)
    groups = region_groups(run)
    assert groups["spiking"] == [name for name in labels() if name in REGIONS]
    assert sorted(name for names in groups.values() for name in names) == sorted(labels())
    other = [labels().index(name) for name in groups["other"]]
    assert (found.series, found.unit) == ("TemporalAverage E", "Hz")
    in_hz = 1000 * activity.tvb[:, 0, other, 0].mean()
    assert found.groups["other"] == pytest.approx(in_hz)
    assert set(found.groups) == set(groups)


@pytest.mark.parametrize(("simulators", "has_rates"), [("tvb", False), ("nest", True)])
def test_summary_of_one_side(make_run: MakeRun, simulators: str, has_rates: bool) -> None:
    root = make_run(simulators=simulators)
    completed(root)
    with open_run(root) as run:
        found = summary(run)
        assert bool(found.rates_hz) is has_rates
        assert bool(found.groups) is not has_rates


def test_what_is_not_there_is_said(run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match="no spikes of 'granule' in 'rHC', it has those"):
        run.spikes("rHC", "granule")
    RunLayout(run.root).timing.unlink()
    with pytest.raises(RunDirectoryError, match=r"timing\.csv is not the file.*cosim report"):
        _ = run.timing
    with pytest.raises(RunDirectoryError, match="not a run directory"):
        open_run(tmp_path)


def test_provenance_is_read(run: Run) -> None:
    Provenance(outcome="finished", digest="d" * 64, seeds={"experiment": 7}).write(run.root)
    assert run.provenance is not None
    assert (run.provenance.outcome, run.provenance.digest) == ("finished", "d" * 64)
    assert run.provenance.seeds == {"experiment": 7}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"outcome": "won"}'])
def test_a_damaged_provenance_is_refused_by_name_or_left_out(run: Run, text: str) -> None:
    RunLayout(run.root).provenance.write_text(text)
    with pytest.raises(RunDirectoryError, match=r"cannot read .*provenance\.json"):
        _ = run.provenance
    assert Provenance.find(run.root) is None


@pytest.mark.parametrize("name", ["spikes", "tvb", "rates", "analog"])
def test_a_damaged_result_file_is_one_sentence(make_run: MakeRun, name: str) -> None:
    root = make_run()
    completed(root)
    path = getattr(RunLayout(root), name)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RunDirectoryError, match=rf"{path.name} is not the file .*cosim report"):
        open_run(root)
    with (
        open_run(root, partial=True) as run,
        pytest.raises(RunDirectoryError, match=f"{path.name} is damaged"),
    ):
        run.spikes("rHC", "excitatory") if name == "spikes" else getattr(run, name)
