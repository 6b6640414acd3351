"""Where compiled code is kept."""

from __future__ import annotations

import importlib.util
import logging
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tvb_nest_cosim.cosim_core.numba_cache import cache_folder, load_kernels

numba = pytest.importorskip(
    "numba",
    reason="numba is not installed: pip install '.[translator]'",
)

MODULE = "tvb_nest_cosim.translator.compiled.kernels"


def test_what_one_start_compiles_the_next_one_loads(tmp_path: Path) -> None:
    ask = (
        "from tvb_nest_cosim.cosim_core.numba_cache import load_kernels\n"
        f"stats = load_kernels({MODULE!r}).leaky_sum.stats\n"
        "print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))"
    )
    answers = [
        subprocess.run(
            [sys.executable, "-c", ask],
            env={"XDG_CACHE_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    ]
    assert answers == [["0", "1"], ["1", "0"]]
    (folder,) = (tmp_path / "tvb-nest-cosim" / "kernels").iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    spec = importlib.util.find_spec(MODULE)
    assert spec is not None
    assert folder.name == cache_folder(Path(str(spec.origin)).parent).name


def test_the_folder_changes_with_any_of_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "given"))
    code = tmp_path / "code"
    code.mkdir()
    (code / "one.py").write_text("1")
    (code / "two.py").write_text("2")
    before = cache_folder(code)
    assert before.parent == tmp_path / "given"
    assert cache_folder(code) == before
    (code / "two.py").write_text("3")
    assert cache_folder(code) != before


def test_the_folder_of_other_compiled_code_is_left_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", "elsewhere")
    load_kernels(MODULE)
    assert numba.config.CACHE_DIR == "elsewhere"


def test_without_a_folder_to_write_to_it_compiles_and_warns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    folder = cache_folder(tmp_path)
    assert folder.is_dir()
    assert tmp_path not in folder.parents
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "every start compiles anew" in record.getMessage()
