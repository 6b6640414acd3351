"""Damage of any file of a run is refused by name, or made good; it never changes what is read."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from results.synthetic_run import CONNECTOME, POPULATIONS, REGIONS, Activity, completed, write_run
from tvb_nest_cosim.cosim_core.errors import CosimError
from tvb_nest_cosim.cosim_core.model.experiment import Experiment
from tvb_nest_cosim.cosim_core.results import collect, complete, digest, open_run
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.manifest import Manifest
from tvb_nest_cosim.cosim_core.run_dir.provenance import Provenance
from tvb_nest_cosim.orchestrator.planning.inputs import check_earlier_run

WINDOWS = 6
Mutation = Callable[[Path, np.random.Generator], None]


def finished_run(
    root: Path, seed: int = 0, windows: int = WINDOWS, simulators: str = "both"
) -> Path:
    """A complete run with everything that a run directory may hold."""
    activity = Activity.make(20 * WINDOWS)
    activity.tvb += seed
    for region in REGIONS:
        activity.input_hz[region] += seed
        activity.spikes[region] = activity.spikes[region][seed:]
    participants = ("tvb", "nest", "translator")
    ends = dict.fromkeys(participants, windows)
    write_run(root, activity, 20, 2, simulators=simulators, windows=ends)
    layout = RunLayout(root)
    shutil.copyfile(CONNECTOME, layout.connectome)
    layout.inputs.mkdir()
    (layout.inputs / "own.py").write_text(f"seed = {seed}\n")
    layout.inputs_manifest.write_text("{}" + " " * seed)
    told = "finished" if windows == WINDOWS else "failed"
    return completed(root, Provenance(run="run", outcome=told, windows_done=windows))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run, another one of the same name, and the first as it was before it went on."""
    folder = tmp_path_factory.mktemp("runs")
    return {
        "whole": finished_run(folder / "whole" / "run"),
        "other": finished_run(folder / "other" / "run", seed=3),
        "older": finished_run(folder / "older" / "run", windows=WINDOWS - 4),
    }


def everything(root: Path) -> dict[str, Any]:
    """Reads all results of a run."""
    with open_run(root) as run:
        found: dict[str, Any] = {
            "digest": run.digest,
            "provenance": run.provenance,
            "plan": run.plan,
            "windows": run.records.complete_windows,
            "weights": run.connectome.weights.tobytes(),
            "timing": run.timing.to_csv(),
        }
        for name in ("tvb", "rates", "analog"):
            data = getattr(run, name)
            found[name] = {str(key): data[key].values.tobytes() for key in data.variables}
        for region in REGIONS:
            for population in POPULATIONS:
                times, neurons = run.spikes(region, population)
                found[f"{region} {population}"] = times.tobytes(), neurons.tobytes()
    return found


def result_bytes(root: Path) -> dict[str, bytes]:
    """Returns the result files of a complete run; they have no times in them."""
    with open_run(root):
        return {path.name: path.read_bytes() for path in RunLayout(root).results() if path.exists()}


def complete_here(root: Path) -> dict[str, bytes]:
    complete(root, make=collect, tell=lambda text: None)
    return result_bytes(root)


def replayed(root: Path) -> None:
    stand_in = {"kind": "journal", "run": str(root)}
    check_earlier_run(Experiment.model_validate({"stand_in": stand_in}), root.parent)


READERS: dict[str, Callable[[Path], Any]] = {
    "open_run": everything,
    "digest": digest,
    "replay": replayed,
    "report": complete_here,  # last, since it mends
}


def truncate(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(path.read_bytes()[: rng.integers(0, path.stat().st_size)])


def flip(path: Path, rng: np.random.Generator) -> None:
    data = bytearray(path.read_bytes())
    data[rng.integers(0, len(data))] ^= 1 << int(rng.integers(0, 8))
    path.write_bytes(data)


def zero(path: Path, rng: np.random.Generator) -> None:
    data = bytearray(path.read_bytes())
    start = int(rng.integers(0, len(data)))
    data[start : start + 64] = bytes(len(data[start : start + 64]))
    path.write_bytes(data)


def zero_tail(path: Path, rng: np.random.Generator) -> None:
    start = int(rng.integers(0, path.stat().st_size))
    path.write_bytes(path.read_bytes()[:start] + bytes(path.stat().st_size - start))


def delete(path: Path, rng: np.random.Generator) -> None:
    path.unlink()


MUTATIONS: tuple[Mutation, ...] = (*(truncate, flip, flip, zero, zero_tail, delete),)


def mutants(runs: dict[str, Path], folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Yields copies of a run in which one file is damaged: what was done, file, copy."""
    rng = np.random.default_rng(20261126)
    whole = runs["whole"]
    names = [*Manifest.read(RunLayout(whole)).files, "manifest.json"]  # type: ignore[union-attr]
    for name in names:
        changes = [(change.__name__, change) for change in MUTATIONS]
        for source in ("other", "older"):
            replacement = runs[source] / name
            changes.append((source, lambda path, _, new=replacement: shutil.copyfile(new, path)))  # type: ignore[misc]
        for what, change in changes:
            copy = folder / "run"
            shutil.copytree(whole, copy)
            change(copy / name, rng)
            yield what, name, copy
            shutil.rmtree(copy)


@pytest.mark.usefixtures("no_sync")
def test_no_damage_of_a_complete_run_changes_what_is_read(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    expected = {name: read(runs["whole"]) for name, read in READERS.items()}
    tried, refused, silent = 0, 0, []
    for what, name, copy in mutants(runs, tmp_path):
        for reader, read in READERS.items():
            tried += 1
            try:
                found = read(copy)
            except CosimError as error:
                refused += 1
                if Path(name).name not in str(error):
                    silent.append(f"{what} {name}: {reader} does not name it: {error}")
            else:
                if found != expected[reader]:
                    silent.append(f"{what} {name}: {reader} reads something else")
    print(f"{tried} readings, {refused} refused")
    assert tried > 600
    assert refused > tried / 3
    assert silent == []
