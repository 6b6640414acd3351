"""Copies of what an experiment names: where they lie, what they hold, when they are refused."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator_cases import ADEX, changed, plan_of
from tvb_nest_cosim.cosim_core.errors import ExperimentError, Fault
from tvb_nest_cosim.cosim_core.model.experiment import Experiment, parse
from tvb_nest_cosim.cosim_core.model.plan import Built, RunPlan
from tvb_nest_cosim.cosim_core.plugins import PLUGIN_PATH_VARIABLE, copy_path, find_file, find_run
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.plan_file import write_plan
from tvb_nest_cosim.orchestrator.planning import user_modules
from tvb_nest_cosim.orchestrator.planning.inputs import checked_folder, copy_inputs, recorded_inputs

BUILD = "def build(context):\n    return {}\n"


@dataclass
class Recorded:
    """A run directory with inputs, as a run leaves it, and its plan."""

    layout: RunLayout
    plan: RunPlan

    @property
    def experiment(self) -> Experiment:
        return self.plan.experiment

    @property
    def files(self) -> dict[str, str]:
        return recorded_inputs(self.layout)["files"]

    def check(self) -> Path:
        return checked_folder(self.experiment, self.layout.root)

    def faults(self) -> list[Fault]:
        with pytest.raises(ExperimentError) as caught:
            self.check()
        return list(caught.value.faults)


def record(base: Path, **changes: Any) -> Recorded:
    """Does what a run does with its inputs."""
    plan = plan_of(changed(ADEX, **changes))
    layout = RunLayout(base / "runs" / "one")
    layout.make()
    folder = checked_folder(plan.experiment, base)
    plan = copy_inputs(plan.model_copy(update={"base_dir": str(folder)}), layout)
    write_plan(layout.root, plan, Built())
    return Recorded(layout, plan)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


NETWORK = {"spiking__0__network": {"module": "nets:build"}}


def test_modules_are_copied_with_what_they_import(tmp_path: Path) -> None:
    write(tmp_path / "nets.py", f"import helper\nfrom deep.inside import x\nimport numpy\n{BUILD}")
    write(tmp_path / "helper.py", "def late():\n    from further import y\n")
    write(tmp_path / "further.py", "")
    write(tmp_path / "deep" / "__init__.py", "")
    write(tmp_path / "deep" / "inside.py", "x = 1\n")
    write(tmp_path / "deep" / "table.csv", "1,2\n")
    write(tmp_path / "deep" / "__pycache__" / "inside.pyc", "")
    write(tmp_path / "unrelated.py", "")
    run = record(tmp_path, **NETWORK)
    names = {"nets.py", "helper.py", "further.py"}
    names |= {"deep/__init__.py", "deep/inside.py", "deep/table.csv"}
    assert run.files == {name: sha256(tmp_path / name) for name in names}
    assert run.plan.base_dir == str(run.layout.inputs)
    copies = {path for path in run.layout.inputs.rglob("*") if path.is_file()}
    assert copies == {run.layout.inputs / name for name in names}
    assert run.check() == run.layout.inputs


def test_modules_of_the_plugin_path_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "plugins" / "kit" / "__init__.py", "")
    own = write(tmp_path / "plugins" / "kit" / "nets.py", BUILD)
    monkeypatch.setenv(PLUGIN_PATH_VARIABLE, str(tmp_path / "plugins"))
    run = record(tmp_path, spiking__0__network={"module": "kit.nets:build"})
    assert run.files["kit/nets.py"] == sha256(own)


def test_what_packages_hold_is_recorded_with_their_versions(tmp_path: Path) -> None:
    # a folder without __init__.py does not replace an installed package of its name
    write(tmp_path / "numpy" / "thing.py", "")
    rate, drive = {"translator": "elephant"}, {"translator": "numpy.mine:Drive"}
    run = record(tmp_path, spiking__0__rate=rate, spiking__0__drive=drive)
    recorded = recorded_inputs(run.layout)
    assert recorded["files"] == {}
    packages = recorded["packages"]
    network = "tvb_nest_cosim.nest_service.networks.adex_region:build"
    assert packages[network].startswith("tvb-nest-cosim ")
    assert packages["elephant"].startswith("tvb-nest-cosim ")
    assert packages["numpy.mine:Drive"].startswith("numpy ")
    assert packages["connectivity_76"].startswith("tvb-data ")
    assert packages["Linear"].startswith("tvb-library ")
    absent = record(tmp_path / "other", spiking__0__drive={"translator": "nowhere_at_all:Drive"})
    packages = recorded_inputs(absent.layout)["packages"]
    assert packages["nowhere_at_all:Drive"] == "found by the participants only"


@pytest.mark.parametrize("name", ["steps.csv", "sub/steps.csv", "../x/steps.csv", "/steps.csv"])
def test_a_series_is_found_by_its_name_from_anywhere(tmp_path: Path, name: str) -> None:
    base = tmp_path / "study"
    base.mkdir()
    name = f"{tmp_path}{name}" if name.startswith("/") else name
    original = write(base / name, "time_ms,alpha\n0,1\n")
    stand_in = {"kind": "file", "path": name}
    run = record(base, simulators="nest", stand_in=stand_in)
    digest, files = sha256(original), run.files
    assert files == {copy_path(name): digest}
    assert run.experiment.stand_in == parse({"stand_in": stand_in}).stand_in
    moved = tmp_path / "elsewhere"
    shutil.move(run.layout.root, moved)
    original.unlink()
    folder = checked_folder(run.experiment, moved)
    assert folder == moved / "inputs"
    assert sha256(find_file(folder, name)) == digest
    # and a run of this run holds the same
    assert record(moved, simulators="nest", stand_in=stand_in).files == files


def test_files_of_one_name_lie_apart(tmp_path: Path) -> None:
    for folder in ("a", "b", "c"):
        write(tmp_path / folder / "s.txt", folder)
    names = ["a/s.txt", str(tmp_path / "b" / "s.txt"), "../c/s.txt"]
    base = tmp_path / "study"
    write(base / "a" / "s.txt", "a")
    monitors = [{"name": "EEG", "sensors": name, "period_ms": 1.0} for name in names]
    run = record(base, tvb__monitors=monitors)
    assert sorted((run.layout.inputs / place).read_text() for place in run.files) == list("abc")


def test_a_run_that_stands_in_is_linked_and_digested(tmp_path: Path) -> None:
    earlier = RunLayout(tmp_path / "earlier")
    earlier.make()
    write(earlier.plan, "{}")
    write(earlier.journal("translator", 0), "blocks")
    stand_in = {"kind": "journal", "run": "earlier"}
    run = record(tmp_path, simulators="nest", stand_in=stand_in)
    assert find_run(run.layout.inputs, "earlier") == earlier.root
    assert len(run.files) == 2
    write(earlier.journal("translator", 0), "other blocks")
    (fault,) = run.faults()
    assert fault.path == "stand_in.run"


@pytest.mark.parametrize("module", ["nets", "helper"])
def test_a_changed_copy_is_refused_with_both_digests(tmp_path: Path, module: str) -> None:
    write(tmp_path / "nets.py", f"import helper\n{BUILD}")
    write(tmp_path / "helper.py", "")
    run = record(tmp_path, **NETWORK)
    copy = run.layout.inputs / f"{module}.py"
    before = sha256(copy)
    copy.write_text(copy.read_text() + "# changed\n")
    (fault,) = run.faults()
    assert fault.path == "spiking.0.network.module"
    assert str(copy) in fault.message
    assert before in fault.message
    assert sha256(copy) in fault.message
    assert "Restore the file" in fault.message
    # the remedy that the message names
    free = tmp_path / "free"
    shutil.copytree(run.layout.inputs, free)
    assert checked_folder(run.experiment, free) == free


def test_a_copy_that_is_gone_or_new_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "nets.py", BUILD)
    run = record(tmp_path, **NETWORK)
    copy = run.layout.inputs / "nets.py"
    copy.rename(run.layout.inputs / "other.py")
    (fault,) = run.faults()
    assert f"{copy} is missing" in fault.message
    (run.layout.inputs / "other.py").rename(copy)
    write(run.layout.inputs / "eeg.txt", "")
    monitors = [{"name": "EEG", "sensors": "eeg.txt", "period_ms": 1.0}]
    other = parse(changed(ADEX, **NETWORK, tvb__monitors=monitors))
    with pytest.raises(ExperimentError, match=r"inputs\.json stands no such file") as caught:
        checked_folder(other, run.layout.root)
    assert caught.value.faults[0].path == "tvb.monitors.0.sensors"


def test_a_damaged_manifest_is_refused(tmp_path: Path) -> None:
    run = record(tmp_path)
    run.layout.inputs_manifest.write_text('{"files": []}')
    (fault,) = run.faults()
    assert "inputs.json is damaged" in fault.message


def test_a_folder_named_inputs_beside_an_experiment_is_the_users(tmp_path: Path) -> None:
    write(tmp_path / "inputs" / "steps.csv", "")
    write(tmp_path / "inputs.json", "[]")
    run = record(tmp_path, simulators="nest", stand_in={"kind": "file", "path": "inputs/steps.csv"})
    assert set(run.files) == {"inputs/steps.csv"}


def test_a_file_that_cannot_be_read_is_a_fault_at_its_key(tmp_path: Path) -> None:
    write(tmp_path / "nets" / "__init__.py", BUILD)
    (tmp_path / "nets" / "weights.npy").symlink_to(tmp_path / "nowhere")
    experiment = parse(changed(ADEX, **NETWORK))
    with pytest.raises(
        ExperimentError, match=r"cannot read .*weights\.npy: No such file"
    ) as caught:
        checked_folder(experiment, tmp_path)
    assert [fault.path for fault in caught.value.faults] == ["spiking.0.network.module"]


def test_a_link_is_copied_as_what_it_leads_to(tmp_path: Path) -> None:
    original = write(tmp_path / "store" / "nets.py", BUILD)
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "nets.py").symlink_to(original)
    run = record(tmp_path / "study", **NETWORK)
    assert run.files == {"nets.py": sha256(original)}
    assert not (run.layout.inputs / "nets.py").is_symlink()


def test_a_package_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_modules, "MAX_PACKAGE_BYTES", 1 << 20)
    write(tmp_path / "nets" / "__init__.py", BUILD)
    write(tmp_path / "nets" / "big.bin", " " * (2 << 20))
    with pytest.raises(ExperimentError, match="is larger than 1 MB") as caught:
        record(tmp_path, **NETWORK)
    assert caught.value.faults[0].path == "spiking.0.network.module"


def test_runs_inside_a_package_are_not_copied(tmp_path: Path) -> None:
    write(tmp_path / "nets" / "__init__.py", BUILD)
    write(tmp_path / "nets" / "run" / "plan.json", "{}")
    assert set(record(tmp_path, **NETWORK).files) == {"nets/__init__.py"}
