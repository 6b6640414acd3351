"""Bad input to NEST: one clear fault each, several reported together, nothing half built."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault, SimulationError
from tvb_nest_cosim.cosim_core.model.experiment import Feed
from tvb_nest_cosim.cosim_core.model.plan import RunPlan, TractPlan
from tvb_nest_cosim.nest_service import kernel
from tvb_nest_cosim.nest_service.kernel import load_nest, prepare_kernel
from tvb_nest_cosim.nest_service.simulator import NestSimulator

if TYPE_CHECKING:  # relative: this folder has the name of NEST's package
    from .conftest import MakePlan, Run


def faults_of(plan: RunPlan) -> list[Fault]:
    """Builds a plan that must be refused, as every rank would."""
    with pytest.raises(ExperimentError) as caught:
        NestSimulator().build(plan, 0, lambda window, arrays: None)
    return list(caught.value.faults)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("no_such_networks:build", "there is no module 'no_such_networks' beside the experiment"),
        ("probe_networks.deeper:build", "there is no module 'probe_networks.deeper'"),
        ("probe_networks:parots", "has no function 'parots'; did you mean parrots?"),
        ("probe_networks", "is not of the form package.module:function"),
        ("probe_networks:returns_a_list", "returned list, expected populations by name"),
        ("probe_networks:returns_nothing_in_a_dict", "returned an empty dict"),
        ("probe_networks:returns_bad_name", "'layer 4': the name must be a letter"),
        ("probe_networks:returns_numbers", "'cells': it is a list, expected a NodeCollection"),
        ("probe_networks:returns_devices", "it holds nodes of type stimulator, not neurons"),
        ("probe_networks:returns_overlap", "'one' and 'two' that overlap"),
        ("probe_networks:returns_empty", "'cells': it has no neurons"),
        ("probe_networks:simulates", "has simulated 1 ms; it may only build"),
        ("probe_networks:wipes_the_kernel", "has changed NEST's kernel (rng_seed"),
        ("probe_networks:misspells", "taum"),
    ],
)
def test_bad_network_functions_are_named(make_plan: MakePlan, network: str, message: str) -> None:
    (fault,) = faults_of(make_plan(network))
    assert fault.path == "spiking.0.network.module"
    assert message in fault.message


def test_populations_that_would_share_a_name_in_the_results_are_refused(
    make_plan: MakePlan,
) -> None:
    plan = make_plan("probe_networks:names_by_region", regions=("rHC", "lHC"))
    renamed = [
        region.model_copy(update={"name": name})
        for region, name in zip(plan.regions, ("a", "a_b"), strict=True)
    ]
    (fault,) = faults_of(plan.model_copy(update={"regions": renamed}))
    assert "'c' of region 'a_b' and 'b_c' of 'a' would both be called a_b_c" in fault.message


def test_a_function_that_raises_gives_its_cause_in_one_line_and_its_traceback(
    make_plan: MakePlan,
) -> None:
    (fault,) = faults_of(make_plan("probe_networks:raises", regions=("rHC", "lHC")))
    assert fault.message.endswith("region 'rHC': ValueError: tau must be positive and finite")
    assert "in raises" in fault.detail
    assert "Traceback" in fault.detail


def test_a_module_that_fails_on_import_is_told_from_one_that_is_missing(
    make_plan: MakePlan,
) -> None:
    (fault,) = faults_of(make_plan("broken_networks:build"))
    assert "fails on import: ModuleNotFoundError" in fault.message
    assert "a_package_that_nobody_has" in fault.detail


def test_regions_cannot_share_neurons(make_plan: MakePlan) -> None:
    (fault,) = faults_of(make_plan("probe_networks:returns_the_same_twice", regions=("a", "b")))
    assert "every region needs neurons of its own" in fault.message


def test_names_that_do_not_exist_are_all_reported_at_once(make_plan: MakePlan) -> None:
    analog = [
        {"population": "frist"},
        {"population": "first", "variables": ["V_mm"], "neurons": [0, 7]},
    ]
    tract = TractPlan(
        source="lHC",
        target="rHC",
        source_population="excitatory",
        target_populations=["first", "third"],
        synapses_per_neuron=1.0,
        weight=1.0,
        delay_ticks=10,
    )
    plan = make_plan(
        regions=("rHC", "lHC"),
        targets=["fist"],
        feeds=[Feed(variable="E", population="second")],
        record={"spikes": ["first", "fourth"], "analog": analog},
        tracts=[tract],
    )
    found = {fault.path: fault.message for fault in faults_of(plan)}
    assert list(found) == [
        "spiking.0.drive.targets",
        "spiking.0.feed.0.population",
        "spiking.0.record.spikes",
        "spiking.0.record.analog.0.population",
        "spiking.0.record.analog.1.neurons",
        "spiking.0.record.analog.1.variables",
        "spiking.0.tracts.source",
        "spiking.0.tracts.targets",
    ]
    assert "no population 'fist'; did you mean first?" in found["spiking.0.drive.targets"]
    assert "no neuron 7" in found["spiking.0.record.analog.1.neurons"]


def test_empty_lists_are_no_way_to_say_all_or_none(make_plan: MakePlan) -> None:
    plan = make_plan(targets=[], record={"analog": [{"population": "first", "neurons": []}]})
    found = [fault.path for fault in faults_of(plan)]
    assert found[:2] == ["spiking.0.drive.targets", "spiking.0.record.analog.0.neurons"]


def test_recordables_of_the_model_are_listed(make_plan: MakePlan) -> None:
    analog = [{"population": "cells", "variables": ["g_inh"]}]
    plan = make_plan("probe_networks:conductances", record={"analog": analog})
    messages = {fault.path: fault.message for fault in faults_of(plan)}
    text = messages["spiking.0.record.analog.0.variables"]
    assert "aeif_cond_exp has no recordable 'g_inh'; did you mean g_in" in text


def test_a_drive_that_neurons_cannot_take_is_refused_before_the_run(make_plan: MakePlan) -> None:
    (fault,) = faults_of(make_plan(kind="current"))  # parrots take no current
    assert fault.path == "spiking.0.drive"
    assert "NEST cannot connect the drive of rHC (kind current)" in fault.message
    assert "choose a drive.kind that these neurons take" in fault.message


def test_a_tract_that_neurons_cannot_take_is_refused_at_its_group(make_plan: MakePlan) -> None:
    tract = TractPlan(
        source="rHC",
        target="lHC",
        source_population="cells",
        target_populations=None,
        synapses_per_neuron=1.0,
        weight=-1.0,
        delay_ticks=0,
    )
    plan = make_plan("probe_networks:conductances", regions=("rHC", "lHC"), tracts=[tract])
    (fault,) = faults_of(plan)
    assert fault.path == "spiking.0.tracts"
    assert "NEST cannot connect the tract from rHC to lHC" in fault.message
    assert "tracts.mode: none" in fault.message


def test_adex_region_without_adex_says_so(make_plan: MakePlan) -> None:
    (fault,) = faults_of(make_plan("tvb_nest_cosim.nest_service.networks.adex_region:build"))
    assert fault.path == "spiking.0.network.module"
    assert "add `adex: {}`" in fault.message


def test_unknown_network_parameters_suggest_the_known_ones(make_plan: MakePlan) -> None:
    parameters = {"V_sgima_mV": 1.0, "noise_std_pA": "loud"}
    plan = make_plan(
        "tvb_nest_cosim.nest_service.networks.adex_region:build", adex={}, parameters=parameters
    )
    found = {fault.path: fault.message for fault in faults_of(plan)}
    assert "did you mean V_sigma_mV" in found["spiking.0.network.parameters.V_sgima_mV"]
    assert "got 'loud'" in found["spiking.0.network.parameters.noise_std_pA"]


@pytest.mark.parametrize(
    ("parameters", "path", "message"),
    [
        ({"delay_ms": 1.55}, "parameters.delay_ms", "not a whole number of ticks"),
        ({"neurons": 1}, "parameters.neurons", "leave one population empty"),
        ({"model": "iaf_psc_alpha", "tau_syn_ms": 20.0}, "parameters", "must be below tau_m_ms"),
        ({"model": "hh_psc_alpha"}, "parameters.model", "iaf_psc_delta"),
    ],
)
def test_brunel_refuses_parameters_that_do_not_fit(
    make_plan: MakePlan, parameters: dict[str, Any], path: str, message: str
) -> None:
    (fault,) = faults_of(
        make_plan("tvb_nest_cosim.nest_service.networks.brunel:build", parameters=parameters)
    )
    assert fault.path == f"spiking.0.network.{path}"
    assert message in fault.message


def fake_nest(have_mpi: bool, processes: int) -> SimpleNamespace:
    info = {"have_mpi": have_mpi}
    return SimpleNamespace(build_info=info, num_processes=processes, tics_per_ms=1000.0)


def test_ranks_need_a_nest_with_mpi(make_plan: MakePlan) -> None:
    with pytest.raises(ExperimentError, match="--no-binary nest-simulator") as caught:
        prepare_kernel(fake_nest(have_mpi=False, processes=1), make_plan(nest={"ranks": 2}))
    assert [fault.path for fault in caught.value.faults] == ["resources.nest.ranks"]


def test_a_nest_without_mpi_is_found_out_before_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Imported under mpirun it would end the process."""
    package = tmp_path / "nest"
    package.mkdir()
    (package / "nestkernel_api.so").write_bytes(b"no such library")
    found = SimpleNamespace(submodule_search_locations=[str(package)])
    monkeypatch.setattr(kernel.importlib.util, "find_spec", lambda name: found)
    with pytest.raises(ExperimentError, match="--no-binary nest-simulator"):
        load_nest(ranks=2)


def test_nest_must_see_as_many_ranks_as_were_started(make_plan: MakePlan) -> None:
    with pytest.raises(ExperimentError, match="sees 1 MPI processes, expected 2; start it with"):
        prepare_kernel(fake_nest(have_mpi=True, processes=1), make_plan(nest={"ranks": 2}))


def test_resources_and_resolution_are_checked_together(make_plan: MakePlan) -> None:
    plan = make_plan(nest={"ranks": 2}, dt_ms=0.0125)
    with pytest.raises(ExperimentError) as caught:
        prepare_kernel(fake_nest(have_mpi=True, processes=1), plan)
    assert [fault.path for fault in caught.value.faults] == ["resources.nest.ranks", "dt_ms"]


def test_a_missing_nest_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nest", None)
    with pytest.raises(ExperimentError, match=r"pip install '\.\[nest\]'"):
        load_nest()


def test_nest_loads_without_a_word_and_without_our_arguments() -> None:
    code = (
        "from tvb_nest_cosim.nest_service.kernel import load_nest; "
        "import sys; load_nest(); print(sys.argv)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--help", "--version"], capture_output=True, text=True
    )
    assert done.stdout == "['-c', '--help', '--version']\n"
    assert done.returncode == 0


def test_nest_stays_out_until_it_is_needed() -> None:
    code = "import sys, tvb_nest_cosim.nest_service.simulator; sys.exit('nest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_numerical_trouble_names_window_and_time(make_plan: MakePlan, run: Run) -> None:
    plan = make_plan("probe_networks:conductances", kind="trains", weight=1e12, window_ticks=10)
    drive = {"rHC": {"tick": np.array([12]), "neuron": np.array([0])}}
    expected = r"NEST failed in window 1 \(1 ... 2 ms\): NumericalInstability: .*aeif_cond_exp"
    with pytest.raises(SimulationError, match=expected):
        run(plan, drive)


def test_a_drive_that_nest_refuses_names_the_window(make_plan: MakePlan, run: Run) -> None:
    with pytest.raises(SimulationError, match=r"NEST refused the drive in window 0 \(0 ... 0.5"):
        run(make_plan(), {"rHC": {"rate": np.zeros(3)}})


def test_use_before_build_is_a_programming_error(make_plan: MakePlan) -> None:
    with pytest.raises(RuntimeError, match="before build"):
        NestSimulator().advance(make_plan().grid.window(0))
