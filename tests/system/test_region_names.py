"""Regions whose names are no plain words keep results of their own."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tvb_data

from tvb_nest_cosim.cosim_core.results import digest, open_run
from tvb_nest_cosim.orchestrator.report import write_report

SOURCE = Path(tvb_data.__file__).parent / "connectivity" / "connectivity_76.zip"
ODD = {"rHC": "a/b", "lHC": "a_b"}
"""Different regions, and the same file name for whoever replaces slashes by something plain."""


@pytest.fixture
def odd_connectome(tmp_path: Path) -> Path:
    path = tmp_path / "odd.zip"
    with zipfile.ZipFile(SOURCE) as source, zipfile.ZipFile(path, "w") as odd:
        for name in source.namelist():
            content = source.read(name)
            if "centres" in name:
                text = content.decode()
                for plain, new in ODD.items():
                    assert text.count(plain) == 1
                    text = text.replace(plain, new)
                content = text.encode()
            odd.writestr(name, content)
    return path


def test_regions_that_differ_in_a_slash_keep_their_own_results(
    finished_here: Callable[..., Any], tiny: dict[str, Any], odd_connectome: Path
) -> None:
    tiny["connectome"]["source"] = str(odd_connectome)
    for group, name in zip(tiny["spiking"], ODD.values(), strict=True):
        group["regions"] = [name]
    odd = finished_here(tiny)
    with open_run(odd.root) as run:
        rates = {f"{what}_{n}" for what in ("rate", "input") for n in ("a%2Fb", "a_b")}
        assert rates <= set(run.rates.data_vars)
        counted = [run.rates[f"counts_{n}"].sum("time").values.tolist() for n in ("a%2Fb", "a_b")]
        found = [
            [len(run.spikes(name, population)[0]) for population in run.populations[name]]
            for name in ODD.values()
        ]
        assert found == counted
        assert found[0] != found[1], "or this test could not tell them apart"
    assert digest(odd.root)
    write_report(odd.root)
    figures = {path.name for path in (odd.root / "figures").iterdir()}
    assert {"spiking-a+2f+b.png", "spiking-a_b.png"} <= figures
