"""Bad input: every fault named in one clear sentence, before anything starts, exit code 2."""

from __future__ import annotations

import io
import os
import re
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from system.trouble import processes_of, write_experiment
from tvb_nest_cosim.cosim_core.errors import EXIT_BAD_INPUT

Tree = dict[str, Any]
Refused = Callable[..., dict[str, str]]


def faults_in(text: str) -> dict[str, str]:
    """Reads the list of faults that a user sees: messages, with their details, by key path."""
    found: dict[str, str] = {}
    path = ""
    for line in text.splitlines():
        if line.startswith("  • "):
            shown = re.sub(r"^\S*, line [0-9]+: ", "", line[4:])
            path, separator, message = shown.partition(": ")
            found[path] = message if separator else ""
        elif path:
            found[path] += f"\n{line}"
    return found


@pytest.fixture
def refused(
    cosim: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, tiny: Tree
) -> Refused:
    """Gives an experiment to the command line and returns the faults it finds."""

    def call(
        *arguments: str | Path,
        command: str = "run",
        out: str | Path = "out",
        env: Mapping[str, str] | None = None,
        **options: Any,
    ) -> dict[str, str]:
        experiment = write_experiment(tmp_path, tiny)
        before = set(tmp_path.rglob("*"))
        target = ["--out", out] if command == "run" else []
        answer = cosim(command, experiment, *target, *arguments, env=dict(env or {}), **options)
        assert answer.returncode == EXIT_BAD_INPUT, answer.stdout + answer.stderr
        found = faults_in(answer.stderr)
        assert found, answer.stderr
        count = "1 fault" if len(found) == 1 else f"{len(found)} faults"
        assert answer.stderr.splitlines()[0] == f"The experiment cannot run: {count}"
        made = set(tmp_path.rglob("*")) - before
        assert [path for path in made if "__pycache__" not in path.parts] == []
        assert processes_of(tmp_path) == {}
        return found

    return call


def settings(**values: Any) -> list[str]:
    """Turns ``key__path=value`` into options."""
    options = []
    for path, value in values.items():
        options += ["--set", f"{path.replace('__', '.')}={value}"]
    return options


def says(message: str, *words: str) -> bool:
    """Checks that a message has all the words that a user needs."""
    missing = [word for word in words if word not in message]
    assert not missing, f"{missing} not in: {message}"
    return True


# What the file says


def test_wrong_keys_types_and_units_are_told_together(refused: Refused) -> None:
    found = refused(
        *settings(
            tvb__modle__name="JansenRit",
            duration="100",
            duration_ms="100 ms",
            dt_ms="-0.1",
            spiking__0__drive__kind="posson",
            connectome__speed_mm_per_ms="fast",
        )
    )
    assert says(found["tvb.modle"], "unknown key", "did you mean model?")
    assert says(found["duration"], "unknown key", "duration_ms")
    assert says(found["duration_ms"], "valid number", "'100 ms'")
    assert says(found["dt_ms"], "greater than 0", "-0.1")
    assert says(found["spiking.0.drive.kind"], "'poisson', 'mip'", "'posson'")
    assert says(found["connectome.speed_mm_per_ms"], "valid number", "'fast'")
    assert len(found) == 6


def test_malformed_settings_are_told_together(refused: Refused) -> None:
    found = refused(
        "--set", "seed", *settings(spiking__7__drive={}, spiking__first={}, name__b="3", tvb="[1")
    )
    assert says(found["--set"], "'seed'", "key.path=value")
    assert says(found["--set spiking.7.drive"], "no item 7", "the list has 2")
    assert says(found["--set spiking.first"], "'first'", "number")
    assert says(found["--set tvb"], "'[1'")
    assert all("\n" not in message for message in found.values()), found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, ["cannot read the experiment", "No such file"]),
        ("a: [1\nb: 2", ["not valid YAML", "line 2"]),
        ("- 3", ["holds list", "expected keys and values"]),
        ("", ["is empty"]),
        ("seed: 1\ntvb:\n  engine: tvb\n  engine: auto", ["'engine' is there twice, line 4"]),
    ],
)
def test_a_file_that_is_no_experiment(
    cosim: Callable[..., Any], tmp_path: Path, text: str | None, words: list[str]
) -> None:
    path = tmp_path / "own.yaml"
    if text is not None:
        path.write_text(text)
    answer = cosim("run", path)
    assert answer.returncode == EXIT_BAD_INPUT
    assert says(answer.stderr, "own.yaml", *words)
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "runs").exists()


# What it means


def test_regions_and_times_are_told_together(refused: Refused) -> None:
    found = refused(
        *settings(
            spiking__0__regions="[rHX, rHC, rHC]", window__length_ms="0.25", duration_ms="33.33"
        )
    )
    assert says(found["spiking.0.regions.0"], "'rHX' is not a region", "76 regions", "rHC")
    assert says(found["spiking.0.regions.2"], "'rHC' is spiking already, at spiking.0.regions.1")
    assert says(found["window.length_ms"], "whole number of ticks", "0.2 ms and 0.3 ms")
    assert says(found["duration_ms"], "whole number of ticks", "33.3 ms")


def test_a_window_beyond_what_is_exact_names_limit_and_edge(refused: Refused) -> None:
    (message,) = refused(*settings(window__length_ms="50")).values()
    assert says(message, "50 ms are not exact", "limit is", "the tract from ", " to ", "delay")


def test_a_misspelt_model_is_one_fault_with_near_names(refused: Refused) -> None:
    found = refused(*settings(tvb__model__name="ZerlautAdaptionFirstOrder"))
    assert list(found) == ["tvb.model.name"]
    assert says(
        found["tvb.model.name"], "is not a model of tvb-library", "ZerlautAdaptationFirstOrder"
    )


# Connectomes


def write_connectome(path: Path, weights: Any, lengths: Any, names: str = "abcd") -> Path:
    tables = {"weights": weights, "tract_lengths": lengths}
    with zipfile.ZipFile(path, "w") as archive:
        for name, table in tables.items():
            text = io.StringIO()
            np.savetxt(text, table)
            archive.writestr(f"{name}.txt", text.getvalue())
        archive.writestr("centres.txt", "\n".join(f"{name} 0 0 0" for name in names))
    return path


def test_numbers_that_are_no_connectome_are_told_together(
    cosim: Callable[..., Any], tmp_path: Path, tiny: Tree
) -> None:
    lengths = np.full((4, 4), 30.0)
    lengths[0, 1], lengths[2, 3] = np.nan, -1.0
    source = write_connectome(tmp_path / "own.zip", np.ones((4, 3)), lengths)
    tiny["connectome"] = {"source": source.name}
    answer = cosim("run", write_experiment(tmp_path, tiny))
    assert answer.returncode == EXIT_BAD_INPUT
    assert answer.stderr.count("connectome.source: own.zip: ") == 3
    assert says(answer.stderr, "weights has shape (4, 3), expected (4, 4): square")
    assert says(answer.stderr, "not finite", "from b to a: nan", "negative", "from d to c: -1.0")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("damaged.zip", ["is damaged or no TVB connectivity zip"]),
        ("conectivity_76", ["no connectome named", "did you mean connectivity_76"]),
    ],
)
def test_no_connectome(
    refused: Refused, tiny: Tree, tmp_path: Path, source: str, words: list[str]
) -> None:
    (tmp_path / "damaged.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    tiny["connectome"]["source"] = source
    (message,) = refused().values()
    assert says(message, source, *words)


def test_proxies_without_delays_or_tracts_are_told_together(
    refused: Refused, tiny: Tree, tmp_path: Path
) -> None:
    weights, lengths = np.ones((4, 4)), np.full((4, 4), 30.0)
    lengths[0, 2] = 0.0
    weights[[2, 3], 1] = 0.0
    write_connectome(tmp_path / "own.zip", weights, lengths)
    tiny["connectome"] = {"source": "own.zip"}
    tiny["spiking"] = [{"regions": ["a", "b"]}]
    found = refused()
    assert says(found["spiking.0.regions.0"], "length zero: c to a", "needs a delay")
    assert says(found["spiking.0.regions.1"], "no tract leaves b for a mean-field region")


# Users' code and what only the simulators know


def test_faults_of_all_participants_and_of_the_machine_are_told_together(
    refused: Refused, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    found = refused(
        *settings(
            spiking__0__network__module="bad_network:raises",
            spiking__1__rate__translator="bad_translators:Rises",
            tvb__model__parameters__tau_x="3",
            tvb__monitors__0__name="Rawr",
        ),
        out="file/out",
    )
    assert says(found["--out"], "file is not a folder", "cannot be made")
    assert says(found["spiking.0.network.module"], "no module 'bad_network'")
    assert says(found["spiking.1.rate.translator"], "'Rises'", "Raises")
    assert says(found["tvb.model.parameters.tau_x"], "is not a parameter of Zerlaut", "tau_")
    assert says(found["tvb.monitors.0.name"], "no monitor 'Rawr'", "Raw")
    assert len(found) == 5


def test_code_that_raises_is_told_with_its_traceback(refused: Refused, tiny: Tree) -> None:
    tiny["spiking"][0]["network"] = {"module": "bad_networks:raises"}
    tiny["spiking"][1]["network"] = {"module": "bad_networks:returns_a_list"}
    tiny["tvb"]["model"]["name"] = "bad_models:RaisesAtOnce"
    for group in tiny["spiking"]:
        group["drive"]["hz_per_unit"] = 1000.0
        group["feed"] = [{"variable": "E", "population": "excitatory", "unit_per_hz": 0.001}]
    found = refused()
    network, _, trace = found["spiking.0.network.module"].partition("\n")
    assert says(network, "bad_networks:raises failed for region 'rHC'", "tau must be positive")
    assert says(trace, "Traceback", "in raises", 'raise ValueError("tau must be positive')
    returned = found["spiking.1.network.module"]
    assert says(returned, "returns_a_list returned list, expected populations by name")
    model, _, trace = found["tvb"].partition("\n")
    assert says(model, "first tick of RaisesAtOnce fails", "ArithmeticError: the [model] is broken")
    assert says(trace, "Traceback", "in dfun")


@pytest.mark.parametrize("command", ["run", "validate"])
def test_a_translator_that_cannot_be_made_is_found_before_the_first_window(
    refused: Refused, tiny: Tree, command: str
) -> None:
    """It is made when all have built; no window may be entered before it is."""
    for group in tiny["spiking"]:
        group["rate"] = {"translator": "bad_translators:CannotBeMade"}
    found = refused(command=command)
    for index, region in enumerate(["rHC", "lHC"]):
        line, _, trace = found[f"spiking.{index}.rate.translator"].partition("\n")
        assert says(line, "CannotBeMade cannot be made for region", f"no table for {region}")
        assert "in __init__" in trace


# What the machine lacks


def test_an_existing_folder_and_a_disk_too_small_are_told_together(
    cosim: Callable[..., Any], tmp_path: Path, tiny: Tree
) -> None:
    kept = tmp_path / "out" / "precious"
    kept.parent.mkdir()
    kept.write_text("results")
    path = write_experiment(tmp_path, tiny)
    answer = cosim("run", path, "--out", "out", *settings(duration_ms="1e12"))
    assert answer.returncode == EXIT_BAD_INPUT
    assert says(
        answer.stderr, "2 faults", f"--out: {tmp_path}/out exists; results never overwrite others"
    )
    assert says(answer.stderr, "out needs about", "MB are free there; record less")
    assert [entry.name for entry in kept.parent.iterdir()] == ["precious"]


def test_a_folder_that_cannot_be_written(refused: Refused, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        # root may write anywhere but where the system keeps no files
        (message,) = refused(out="/proc/out").values()
        assert says(message, "/proc/out", "only 0 MB are free there")
    else:
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o500)
        (message,) = refused(out=locked / "out").values()
        assert says(message, "locked is not writable")


def test_ranks_without_mpirun(refused: Refused) -> None:
    found = refused(*settings(resources__nest__ranks="2"), env={"PATH": "/nowhere"})
    assert list(found) == ["resources.nest.ranks"]
    assert says(found["resources.nest.ranks"], "2 ranks need mpirun", "not in PATH", "openmpi-bin")


def test_ranks_with_a_nest_without_mpi(refused: Refused) -> None:
    probe = "import nest; print('MPI', nest.build_info['have_mpi'])"
    answer = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    if "MPI True" in answer.stdout:
        pytest.skip("this NEST was built with MPI; tests/nest plays one without")
    found = refused(*settings(resources__nest__ranks="2"))
    assert says(found["resources.nest.ranks"], "NEST with MPI", "with-mpi=ON")


@pytest.mark.parametrize("files", [5, 9, 24, 40])
def test_too_few_files_that_may_be_opened(refused: Refused, files: int) -> None:
    """The library of sockets would abort the process."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)

    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, limits[1]))

    found = refused(preexec_fn=lower)
    assert says(found["ulimit -n"], f"only {files} files here", "needs 128", "ulimit -n 256")


def test_a_temporary_folder_whose_path_is_too_long(refused: Refused, tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 20)
    folder.mkdir()
    (message,) = refused(env={"TMPDIR": str(folder)}).values()
    assert says(message, "too long a path for sockets", "TMPDIR", "76 characters")


@pytest.mark.parametrize(
    ("text", "options", "shown"),
    [
        ("name: a\nseed: -1\n", [], ["FILE, line 2: seed: "]),
        ("name: a\nseed: -1\nduration_ms: x\n", ["--set", "seed=-2"],
         ["seed: ", "FILE, line 3: duration_ms: "]),
        ("name: a\nconnectome:\n  source: nowhere\nsimulators: tvb\n", [],
         ["FILE, line 3: connectome.source: "]),
        ("name: [\n", [], ["FILE is not valid YAML: "]),
    ],
    ids=["a value", "not an override", "found by planning", "not YAML"],
)  # fmt: skip
def test_faults_name_the_line_of_the_file(
    cosim: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
    text: str,
    options: list[str],
    shown: list[str],
) -> None:
    file = tmp_path / "faulty.yaml"
    file.write_text(text)
    answer = cosim("plan", file, *options)
    assert answer.returncode == EXIT_BAD_INPUT
    listed = [line[4:] for line in answer.stderr.splitlines() if line.startswith("  • ")]
    assert len(listed) == len(shown), answer.stderr
    for start in shown:
        assert any(line.startswith(start.replace("FILE", str(file))) for line in listed), listed
