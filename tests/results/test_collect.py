"""From journals to files: nothing lost, nothing invented, one order."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import h5py
import libsonata
import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr

from results.conftest import MakeRun
from results.synthetic_run import (
    DT_MS,
    HOP_TICKS,
    POPULATIONS,
    REGIONS,
    Activity,
    completed,
    labels,
    v_m,
)
from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.model.signals import Block
from tvb_nest_cosim.cosim_core.results import RunRecords, collect, open_run
from tvb_nest_cosim.cosim_core.run_dir.journal import JournalOwner, JournalWriter, read_journal
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout

EXCITATORY = POPULATIONS["excitatory"]


def expected_spikes(
    activity: Activity, region: str, population: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    rows = activity.spikes[region]
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    chosen = (rows[:, 1] >= EXCITATORY) == (population == "inhibitory")
    rows = rows[chosen] - [0, EXCITATORY if population == "inhibitory" else 0]
    return np.round(rows[:, 0] * DT_MS, 6), rows[:, 1]


@pytest.mark.parametrize(("window_ticks", "ranks"), [(40, 1), (40, 2), (7, 3), (600, 2)])
def test_every_spike_arrives_once_in_sonata_layout(
    make_run: MakeRun, window_ticks: int, ranks: int
) -> None:
    activity = Activity.make()
    root = make_run(activity=activity, window_ticks=window_ticks, nest_ranks=ranks)
    collect(root)
    with h5py.File(RunLayout(root).spikes) as file:
        assert file.attrs["magic"] == 0x0A7A
        assert len(file["spikes"]) == 4
        for region in REGIONS:
            for population, size in POPULATIONS.items():
                group = file[f"spikes/{region}_{population}"]
                times, ids = expected_spikes(activity, region, population)
                np.testing.assert_array_equal(group["timestamps"][:], times)
                np.testing.assert_array_equal(group["node_ids"][:], ids)
                assert group["timestamps"].attrs["units"] == "ms"
                assert group.attrs["sorting"] == 2
                assert group.attrs["region"] == region
                assert group.attrs["population"] == population
                assert group.attrs["neurons"] == size
                assert group.attrs["dt_ms"] == DT_MS


def test_tvb_series_are_labelled_and_unfed_proxy_variables_stay_nan(make_run: MakeRun) -> None:
    activity = Activity.make()
    root = make_run(activity=activity)
    collect(root)
    with xr.open_dataset(RunLayout(root).tvb, engine="h5netcdf") as tvb:
        series = tvb["TemporalAverage"]
        assert series.dims == ("time_TemporalAverage", "variable_TemporalAverage", "region")
        np.testing.assert_array_equal(series.values, activity.tvb[..., 0])
        assert tuple(series.region.values) == labels()
        assert list(series.variable_TemporalAverage.values) == ["E", "I"]
        assert series.time_TemporalAverage.attrs["units"] == "ms"
        assert np.isnan(series.sel(variable_TemporalAverage="I", region="rHC")).all()


def test_modes_get_an_axis_only_when_there_are_several(make_run: MakeRun) -> None:
    activity = Activity.make()
    activity.tvb = np.concatenate([activity.tvb, activity.tvb + 1], axis=3)
    root = make_run(activity=activity)
    collect(root)
    with xr.open_dataset(RunLayout(root).tvb, engine="h5netcdf") as tvb:
        assert tvb["TemporalAverage"].dims[3] == "mode_TemporalAverage"
        np.testing.assert_array_equal(tvb["TemporalAverage"].values, activity.tvb)


def test_input_is_dated_when_it_acts_and_counts_are_summed_over_ranks(make_run: MakeRun) -> None:
    activity = Activity.make()
    root = make_run(activity=activity)
    collect(root)
    with xr.open_dataset(RunLayout(root).rates, engine="h5netcdf") as rates:
        for region in REGIONS:
            drive = rates[f"input_{region}"]
            np.testing.assert_array_equal(drive.values, activity.input_hz[region])
            acts = drive[f"time_input_{region}"].values
            np.testing.assert_allclose(acts[[0, -1]], [(1 + HOP_TICKS) * DT_MS, 60.0 + DT_MS])
            assert drive.attrs["units"] == "Hz"
            counts = rates[f"counts_{region}"]
            assert counts.sum() == len(activity.spikes[region])
            np.testing.assert_array_equal(rates[f"rate_{region}"].values, counts.values * 100.0)
            tick, neuron = activity.spikes[region][0]
            kind = "inhibitory" if neuron >= EXCITATORY else "excitatory"
            found = counts.sel({f"population_{region}": kind}).sel(time=round(tick * DT_MS, 6))
            assert found >= 1


def test_multimeters_of_all_ranks_become_one_table(make_run: MakeRun) -> None:
    root = make_run(window_ticks=7)
    collect(root)
    with xr.open_dataset(RunLayout(root).analog, engine="h5netcdf") as analog:
        table = analog["V_m_rHC_0"]
        ticks = np.arange(5, 601, 5)
        np.testing.assert_allclose(table.time_rHC_0, ticks * DT_MS)
        expected = v_m(*np.meshgrid(ticks, np.arange(3), indexing="ij"))
        np.testing.assert_array_equal(table.values, expected)
        assert table.attrs["units"] == "mV"
        assert table.attrs["population"] == "excitatory"


def test_results_end_at_the_last_window_that_everybody_completed(make_run: MakeRun) -> None:
    activity = Activity.make()
    root = make_run(activity=activity, windows={"nest": 9, "translator": 11, "tvb": 12})
    found = collect(root)
    assert (found.windows, found.simulated_ms) == (9, 36.0)
    layout = RunLayout(root)
    with h5py.File(layout.spikes) as file:
        times, _ = expected_spikes(activity, "rHC", "excitatory")
        stored = file["spikes/rHC_excitatory/timestamps"][:]
        np.testing.assert_array_equal(stored, times[times <= 36.0])
    with xr.open_dataset(layout.tvb, engine="h5netcdf") as tvb:
        assert tvb.time_TemporalAverage[-1] == 36.0
    with xr.open_dataset(layout.rates, engine="h5netcdf") as rates:
        assert rates.time[-1] == 36.0
        assert rates.counts_rHC.shape == (360, 2)
    windows = {line.split(",")[2] for line in layout.timing.read_text().splitlines()[1:]}
    assert windows == {str(index) for index in range(9)}


@pytest.mark.parametrize("role", ["nest", "tvb", "translator"])
def test_a_journal_cut_anywhere_ends_the_results_at_its_last_whole_window(
    make_run: MakeRun, role: str
) -> None:
    root = make_run()
    journal = RunLayout(root).journal(role, 0)
    whole = journal.read_bytes()
    found = []
    for cut in (5, 8, len(whole) // 2, len(whole) - 1):
        journal.write_bytes(whole[:cut])
        found.append(collect(root).windows)
    assert found[:2] == [0, 0]
    assert 3 < found[2] < 12
    assert found[3] == 14


def test_a_missing_journal_leaves_empty_results(make_run: MakeRun) -> None:
    root = make_run()
    RunLayout(root).journal("nest", 1).unlink()
    found = collect(root)
    assert (found.windows, found.simulated_ms) == (0, 0.0)
    with h5py.File(RunLayout(root).spikes) as file:
        assert file["spikes/rHC_excitatory/timestamps"].shape == (0,)


@pytest.mark.parametrize(
    ("simulators", "names"),
    [
        ("tvb", {"tvb.nc", "timing.csv"}),
        ("nest", {"spikes.h5", "rates.nc", "analog.nc", "timing.csv"}),
    ],
)
def test_one_sided_runs_have_the_files_of_their_side(
    make_run: MakeRun, simulators: str, names: set[str]
) -> None:
    root = make_run(simulators=simulators)
    found = collect(root)
    assert set(found.files) == names
    assert found.windows == 15
    assert not list(root.glob(".*"))


def test_collecting_again_replaces_the_files(make_run: MakeRun) -> None:
    root = make_run()
    collect(root)
    before = RunLayout(root).timing.read_text()
    RunLayout(root).timing.write_text("damaged")
    collect(root)
    assert RunLayout(root).timing.read_text() == before


def test_a_folder_that_is_no_run_is_named_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match=r"no plan\.json.*cosim run"):
        collect(tmp_path)
    RunLayout(tmp_path).plan.write_text('{"plan": 3}')
    with pytest.raises(RunDirectoryError, match="damaged or of another version"):
        collect(tmp_path)


def test_the_core_imports_without_the_extras() -> None:
    code = (
        "import sys\n"
        "for name in ('xarray', 'h5netcdf', 'pandas', 'neo', 'matplotlib'):\n"
        "    sys.modules[name] = None\n"
        "import tvb_nest_cosim.cosim_core.results\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_rates_of_a_stand_in_are_kept_under_the_populations_it_speaks_for(
    make_run: MakeRun,
) -> None:
    root = make_run()
    plan = RunLayout(root).plan
    tree = json.loads(plan.read_text())
    del tree["plan"]["participants"]["nest"]
    for region in tree["plan"]["regions"]:
        region["feeds"] = [
            {"variable": v, "population": p} for v, p in zip("EI", POPULATIONS, strict=True)
        ]
    plan.write_text(json.dumps(tree | {"populations": {}}))
    assert set(collect(root).files) == {"tvb.nc", "rates.nc", "timing.csv"}
    with xr.open_dataset(RunLayout(root).rates, engine="h5netcdf") as rates:
        assert list(rates.population_rHC.values) == list(POPULATIONS)
        assert rates.rate_rHC.shape == (600, 2)
        assert "counts_rHC" not in rates


@pytest.mark.parametrize("name", ["EEG", "MEG", "iEEG", "SEEG"])
def test_sensors_have_an_axis_of_their_own(make_run: MakeRun, name: str) -> None:
    activity = Activity.make()
    root = make_run(activity=activity)
    layout = RunLayout(root)
    tree = json.loads(layout.plan.read_text())
    monitors = tree["plan"]["experiment"]["tvb"]["monitors"]
    monitors.append({"name": name, "label": "head", "period_ms": 1.0})
    facts = tree["facts"]["tvb"]["monitors"]
    facts["head"] = {"variables": ["E"], "nodes": ["s1", "s2"], "period_ms": 1.0}
    layout.plan.write_text(json.dumps(tree))
    journal = layout.journal("tvb", 0)
    blocks = list(read_journal(journal))
    journal.unlink()
    with JournalWriter(journal, JournalOwner("run", "tvb", 0)) as writer:
        for block in blocks:
            head = {
                "monitor/head/time": block.arrays["monitor/TemporalAverage/time"],
                "monitor/head/data": block.arrays["monitor/TemporalAverage/data"][:, :1, :2],
            }
            writer.append(Block(block.edge, block.window, block.rank, {**block.arrays, **head}))
    collect(root)
    with xr.open_dataset(layout.tvb, engine="h5netcdf") as tvb:
        assert tvb["head"].dims == ("time_head", "variable_head", "sensor_head")
        assert list(tvb.sensor_head.values) == ["s1", "s2"]
        np.testing.assert_array_equal(tvb["head"].values, activity.tvb[:, :1, :2, 0])
        assert tvb.TemporalAverage.sizes["region"] == 76


@pytest.mark.parametrize("nest_ranks", [1, 2])
def test_libsonata_reads_the_spikes(make_run: MakeRun, nest_ranks: int) -> None:
    root = completed(make_run(nest_ranks=nest_ranks))
    reader = libsonata.SpikeReader(str(RunLayout(root).spikes))
    names = {f"{region}_{population}" for region in REGIONS for population in POPULATIONS}
    assert set(reader.get_population_names()) == names
    population = reader["lHC_inhibitory"]
    assert population.sorting == "by_time"
    assert population.time_units == "ms"
    trains = [[] for _ in range(POPULATIONS["inhibitory"])]
    for neuron, time_ms in population.get():
        trains[neuron].append(time_ms)
    with open_run(root) as run:
        expected = [train.magnitude.tolist() for train in run.spiketrains("lHC", "inhibitory")]
    assert trains == expected
    assert sum(map(len, trains)) > 10


def test_signals_for_a_replay_end_at_the_first_missing_window(make_run: MakeRun) -> None:
    root = make_run(window_ticks=40)
    path = RunLayout(root).journal("translator", 0)
    blocks = list(read_journal(path))
    path.unlink()
    with JournalWriter(path, JournalOwner("run", "translator", 0)) as journal:
        for block in blocks:
            if block.window != 3:
                journal.append(block)
    joined = RunRecords.open(root).joined("translator.record", "rates", ["rHC", "nowhere"])
    assert set(joined) == {"rHC"}
    assert joined["rHC"].shape == (2, 3 * 40)
