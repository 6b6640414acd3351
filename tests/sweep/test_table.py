"""The table and the pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection

from sweep.sweeps import DRIVE, B, Tree, grid, points_of
from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.orchestrator.sweep import heatmaps
from tvb_nest_cosim.orchestrator.sweep.folder import SweepLayout
from tvb_nest_cosim.orchestrator.sweep.heatmaps import draw_heat_maps
from tvb_nest_cosim.orchestrator.sweep.points import Point
from tvb_nest_cosim.orchestrator.sweep.row import SweepRow
from tvb_nest_cosim.orchestrator.sweep.table import LAST_COLUMNS, make_table, write_table

GRID = grid(adex__excitatory__b_pA=[0, 10], adex__external_hz=[1.0, 2.0, 3.0])


def record(point: Point, **values: float | None) -> SweepRow:
    named = {name.replace("__", "."): value for name, value in values.items()}
    return SweepRow(
        experiment_digest=point.digest, outcome="finished", point_s=3.0, build_s=1.0, wall_s=2.0,
        digest=f"{point.index:064d}", values=named,
    )  # fmt: skip


@pytest.fixture
def layout(tmp_path: Path) -> SweepLayout:
    layout = SweepLayout(tmp_path / "sweep")
    layout.make()
    return layout


def both(layout: SweepLayout) -> tuple[pd.DataFrame, pd.DataFrame]:
    missing = {"na_values": [""], "keep_default_na": False}  # else pandas takes "null" for missing
    return pd.read_csv(layout.csv, **missing), pd.read_parquet(layout.parquet)


def test_the_table_has_a_row_for_every_point_in_order(layout: SweepLayout) -> None:
    points = points_of(GRID)
    records = {
        point.id: record(point, rate_hz__r__e=0.1 + point.index, cv_isi__r__e=None)
        for point in points[4:0:-1]  # in whatever order they ended
    }
    records[points[0].id] = SweepRow(
        experiment_digest=points[0].digest, outcome="failed", cause="no, luck"
    )
    write_table(layout, make_table(layout, points, records))
    for frame in both(layout):
        assert list(frame.columns) == [
            "point", B, DRIVE, "seed", "outcome", "rate_hz.r.e", "cv_isi.r.e", *LAST_COLUMNS,
        ]  # fmt: skip
        assert frame["point"].tolist() == list(range(6))
        assert frame[B].tolist() == [0, 0, 0, 10, 10, 10]
        assert frame[DRIVE].tolist() == [1, 2, 3] * 2
        assert frame["outcome"].tolist() == ["failed", *["finished"] * 4, "not run"]
        assert frame["rate_hz.r.e"][1:5].tolist() == [1.1, 2.1, 3.1, 4.1]  # the very bits
        assert np.isnan(frame["rate_hz.r.e"][[0, 5]]).all()
        assert frame["cv_isi.r.e"].isna().all()
        assert frame["cause"][0] == "no, luck"
        assert frame["point_s"].isna().tolist() == [True, *[False] * 4, True]
        assert (layout.root / frame["path"][1]).name == points[1].id
        assert frame["experiment_digest"].tolist() == [point.digest for point in points]


def test_parameters_of_any_kind_have_their_column(layout: SweepLayout) -> None:
    values = ["auto", 1.5, True, None, [1, 2], {"a": 1}]
    points = [
        Point(i, {"x": value, "n": i}, (), p.experiment, p.digest)
        for i, (value, p) in enumerate(zip(values, points_of(GRID), strict=True))
    ]
    write_table(layout, make_table(layout, points, {}))
    for frame in both(layout):
        assert frame["x"].tolist() == ["auto", "1.5", "true", "null", "[1, 2]", '{"a": 1}']
        assert frame["n"].tolist() == [0, 1, 2, 3, 4, 5]


def test_the_seed_is_one_column_though_it_is_varied(layout: SweepLayout) -> None:
    frame = make_table(layout, points_of(grid(seed=[4, 9])), {})
    assert list(frame.columns).count("seed") == 1
    assert frame["seed"].tolist() == [4, 9]


def test_a_table_that_cannot_be_written_leaves_the_old_one(
    layout: SweepLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = points_of(GRID)
    write_table(layout, make_table(layout, points, {}))
    before = layout.csv.read_bytes()

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(RunDirectoryError, match="No space left"):
        write_table(layout, make_table(layout, points[:1], {}))
    assert layout.csv.read_bytes() == before


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Axes, pd.Series]]:
    """Takes note of every panel that is drawn."""
    panels: list[tuple[Axes, Any]] = []
    original = heatmaps._panel

    def noting(axes: Axes, means: Any, x: str, y: str) -> None:
        panels.append((axes, means))
        original(axes, means, x, y)

    monkeypatch.setattr(heatmaps, "_panel", noting)
    return panels


def frame_of(layout: SweepLayout, design: Tree, **more: Any) -> pd.DataFrame:
    points = points_of(design, **more)
    records = {
        p.id: record(
            p,
            rate_hz__r__e=10.0 * p.parameters[B] + p.parameters[DRIVE] + p.experiment.seed,
            tvb_mean_hz=1.0,
            tvb_peak_hz__rA1=5.0,
        )
        for p in points
    }
    return make_table(layout, points, records)


def test_a_grid_becomes_heat_maps_of_means_over_the_rest(
    layout: SweepLayout, drawn: list[Any]
) -> None:
    frame = frame_of(layout, GRID, repeats=3)
    frame.loc[frame["point"] == 0, "outcome"] = "failed"
    (layout.figures / "old.png").write_bytes(b"")
    paths = draw_heat_maps(frame, [B, DRIVE], layout.figures)
    assert sorted(path.name for path in paths) == [
        "adex-excitatory-b_pA--adex-external_hz--rate_hz.png",
        "adex-excitatory-b_pA--adex-external_hz--tvb.png",
    ]
    assert sorted(layout.figures.iterdir()) == sorted(paths)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
    axes, _ = drawn[0]
    (image,) = axes.get_images()
    expected = [[3.5, 103], [4, 104], [5, 105]]  # rows: drive; seeds 1 to 3, without the first
    assert np.allclose(np.asarray(image.get_array()), expected)
    assert (axes.get_xlabel(), axes.get_ylabel()) == (B, DRIVE)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "10"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1", "2", "3"]
    assert "3.5" in [text.get_text() for text in axes.texts]


def test_points_that_are_no_grid_become_dots(layout: SweepLayout, drawn: list[Any]) -> None:
    vary = {B: {"low": 0, "high": 9}, DRIVE: {"low": 1, "high": 2}}
    frame = frame_of(layout, {"kind": "latin_hypercube", "number": 5, "vary": vary})
    assert len(draw_heat_maps(frame, [B, DRIVE], layout.figures)) == 2
    axes, _ = drawn[0]
    (dots,) = (c for c in axes.collections if isinstance(c, PathCollection))
    found = np.column_stack([dots.get_offsets(), dots.get_array()])
    expected = frame[[B, DRIVE, "rate_hz.r.e"]].to_numpy(np.float64)
    assert np.allclose(found[found[:, 0].argsort()], expected[expected[:, 0].argsort()])


def test_one_dimension_has_no_pairs(layout: SweepLayout) -> None:
    frame = frame_of(layout, grid(adex__excitatory__b_pA=[1, 2], adex__external_hz=[1]))
    assert draw_heat_maps(frame, [B, DRIVE], layout.figures) == []


def test_words_have_heat_maps_too(layout: SweepLayout, drawn: list[Any]) -> None:
    frame = frame_of(layout, GRID)
    frame[B] = frame[B].map({0: "weak", 10: "strong"})
    assert draw_heat_maps(frame, [B, DRIVE], layout.figures)
    labels = [label.get_text() for label in drawn[0][0].get_xticklabels()]
    assert labels == ["strong", "weak"]
