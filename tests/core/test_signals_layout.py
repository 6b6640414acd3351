"""Small value types: blocks, deadlines, paths of a run, log lines."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from tvb_nest_cosim.cosim_core.deadline import Deadline
from tvb_nest_cosim.cosim_core.model.signals import (
    EDGES,
    Block,
    group_signals,
    receiver_of,
    sender_of,
)
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout, write_atomically
from tvb_nest_cosim.cosim_core.run_dir.logs import log_to


def make_block() -> Block:
    return Block(
        "tvb>translator", 3, 0, {"coupling/rHC": np.arange(4.0), "coupling/lHC": np.ones(2)}
    )


def test_blocks_are_frozen() -> None:
    values = np.arange(4.0)
    block = Block("tvb>translator", 0, 0, {"coupling/rHC": values})
    with pytest.raises(ValueError, match="read-only"):
        block.arrays["coupling/rHC"][0] = 7
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 7
    with pytest.raises(TypeError):
        block.arrays["other"] = values
    with pytest.raises(AttributeError):
        block.window = 5


def test_a_block_does_not_follow_the_mapping_it_was_made_from() -> None:
    arrays = {"rates/rHC": np.ones((1, 2))}
    block = Block("translator>tvb", 0, 0, arrays)
    arrays["rates/lHC"] = np.ones((1, 2))
    assert list(block.arrays) == ["rates/rHC"]


def test_signals_are_grouped_by_whole_names() -> None:
    arrays = {"coupling/rHC": 1, "coupling/rHC2": 2, "couplings/x": 3, "coupling/a/b": 4}
    assert group_signals(arrays, "coupling") == {"rHC": 1, "rHC2": 2, "a/b": 4}
    assert group_signals(arrays, "coupling/a") == {"b": 4}


@pytest.mark.parametrize("edge", EDGES)
def test_edges_name_their_ends(edge: str) -> None:
    assert f"{sender_of(edge)}>{receiver_of(edge)}" == edge
    assert "translator" in (sender_of(edge), receiver_of(edge))


def test_a_deadline_runs_out() -> None:
    soon, later = Deadline.after(-1.0), Deadline.after(1000.0)
    assert soon.passed()
    assert soon.remaining_s() == 0.0
    assert soon.sooner(5.0) == 0.0
    assert not later.passed()
    assert later.sooner(5.0) == 5.0
    assert 0 < later.remaining_s() <= 1000.0


def test_a_run_directory_is_made_once(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path / "deep" / "run")
    layout.make()
    assert layout.journals.is_dir()
    assert layout.logs.is_dir()
    with pytest.raises(FileExistsError):
        layout.make()


def test_no_two_files_of_a_run_have_the_same_path(tmp_path: Path) -> None:
    layout = RunLayout(tmp_path)
    names = [name for name in vars(RunLayout) if isinstance(getattr(RunLayout, name), property)]
    paths = [getattr(layout, name) for name in names]
    for role in ("tvb", "nest", "translator"):
        for rank in range(2):
            paths += [layout.journal(role, rank), layout.timing_journal(role, rank)]
            paths += [layout.log(role, rank)]
    assert len(set(paths)) == len(paths)
    assert all(path.is_relative_to(tmp_path) for path in paths)


def test_files_appear_whole(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "text is not bytes")
    assert path.read_bytes() == b"old"


def test_log_lines_are_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    log_to(tmp_path / "nest-0.jsonl", "nest-0", "run-1")
    try:
        raise RuntimeError("a\nb")
    except RuntimeError:
        logging.getLogger("some.module").exception('said "%s"', "no\nway")
    for handler in root.handlers:
        handler.close()
    (line,) = (tmp_path / "nest-0.jsonl").read_text(encoding="utf-8").splitlines()
    tree = json.loads(line)
    assert tree["participant"] == "nest-0"
    assert tree["run"] == "run-1"
    assert tree["level"] == "error"
    assert tree["message"] == 'said "no\nway"'
    assert "RuntimeError: a\nb" in tree["traceback"]
