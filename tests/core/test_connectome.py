"""Connectome files: what is read, scaled and refused."""

from __future__ import annotations

import bz2
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.cosim_core.model.arrays import Reals
from tvb_nest_cosim.cosim_core.model.connectome import Connectome, load_connectome
from tvb_nest_cosim.cosim_core.model.experiment import ConnectomeChoice

LABELS = ("lA", "lB", "rA")
WEIGHTS = np.array([[9.0, 1.0, 2.0], [0.0, 9.0, 4.0], [3.0, 0.0, 9.0]])
LENGTHS_MM = np.array([[0.0, 10.0, 31.0], [12.0, 0.0, 45.0], [30.0, 44.95, 0.0]])


def text(table: Reals) -> str:
    return "\n".join(" ".join(str(value) for value in row) for row in table) + "\n"


def centres(labels: Iterable[str] = LABELS) -> str:
    return "".join(f"{label} {n}.0 {n}.5 -{n}.0\n" for n, label in enumerate(labels))


@pytest.fixture
def make_zip(tmp_path: Path) -> Callable[..., Path]:
    def make(**changes: str | bytes | None) -> Path:
        """Writes a zip; a change is the content of a member (str or bytes), or None for none."""
        members = {
            "weights.txt": text(WEIGHTS),
            "tract_lengths.txt": text(LENGTHS_MM),
            "centres.txt": centres(),
        }
        members.update({name.replace("_txt", ".txt"): value for name, value in changes.items()})
        path = tmp_path / "brain.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                if content is not None:
                    archive.writestr(name, content)
        return path

    return make


def load(path: Path, **choice: Any) -> Connectome:
    return load_connectome(path, ConnectomeChoice(normalise="none", **choice))


def faults_of(path: Path) -> list[str]:
    with pytest.raises(ExperimentError) as caught:
        load(path)
    assert {fault.path for fault in caught.value.faults} == {"connectome.source"}
    return [fault.message for fault in caught.value.faults]


def test_a_zip_is_read_and_its_diagonal_zeroed(make_zip: Callable[..., Path]) -> None:
    connectome = load(make_zip())
    assert connectome.labels == LABELS
    np.testing.assert_array_equal(connectome.weights, WEIGHTS * (1 - np.eye(3)))
    np.testing.assert_array_equal(connectome.lengths_mm, LENGTHS_MM)
    np.testing.assert_array_equal(connectome.centres[1], [1.0, 1.5, -1.0])
    assert connectome.cortical is None
    assert connectome.orientations is None


def test_delays_in_ticks_by_hand(make_zip: Callable[..., Path]) -> None:
    # rint(length / 3 mm/ms / 0.1 ms): 10 mm -> 33.3, 12 -> 40, 30 -> 100, 31 -> 103.3,
    # 44.95 -> 149.8, 45 -> 150
    delays = load(make_zip(), speed_mm_per_ms=3.0).idelays(0.1)
    np.testing.assert_array_equal(delays, [[0, 33, 103], [40, 0, 150], [100, 150, 0]])
    assert delays.dtype == np.int32


def test_lengths_have_a_unit(make_zip: Callable[..., Path]) -> None:
    tenth = load(make_zip(), length_unit_mm=0.1, speed_mm_per_ms=0.3)
    np.testing.assert_allclose(tenth.lengths_mm, LENGTHS_MM / 10)
    np.testing.assert_array_equal(tenth.idelays(0.1), load(make_zip()).idelays(0.1))


@pytest.mark.parametrize(
    ("normalise", "expected"),
    [
        ("none", [[0, 2, 4], [0, 0, 8], [6, 0, 0]]),
        ("max", [[0, 0.5, 1], [0, 0, 2], [1.5, 0, 0]]),
        ("region", [[0, 2 / 3, 4 / 3], [0, 0, 2], [2, 0, 0]]),
    ],
)
def test_weights_are_normalised_then_scaled(
    make_zip: Callable[..., Path],
    normalise: Literal["none", "max", "region"],
    expected: list[list[float]],
) -> None:
    choice = ConnectomeChoice(normalise=normalise, weight_scale=2.0)
    np.testing.assert_allclose(load_connectome(make_zip(), choice).weights, expected)


def test_a_region_without_inputs_stays_without(make_zip: Callable[..., Path]) -> None:
    alone = WEIGHTS.copy()
    alone[1] = 0.0
    choice = ConnectomeChoice(normalise="region")
    weights = load_connectome(make_zip(weights_txt=text(alone)), choice).weights
    np.testing.assert_array_equal(weights[1], 0.0)


def test_regions_are_found_by_name_or_near_ones_named(make_zip: Callable[..., Path]) -> None:
    connectome = load(make_zip())
    assert connectome.index("lB") == 1
    with pytest.raises(
        KeyError, match=r"'lC' is not a region of this connectome of 3 regions; did you mean l[AB]"
    ):
        connectome.index("lC")


def test_compressed_members_in_folders_beside_what_macos_adds(tmp_path: Path) -> None:
    path = tmp_path / "brain.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__MACOSX/brain/weights.txt", b"\x00\x05\x16\x07")
        archive.writestr("__MACOSX/brain/._weights.txt", b"\x00\x05\x16\x07")
        archive.writestr("brain/weights.txt.bz2", bz2.compress(text(WEIGHTS).encode()))
        archive.writestr("brain/tract_lengths.txt.bz2", bz2.compress(text(LENGTHS_MM).encode()))
        archive.writestr("brain/centres.txt", centres())
    np.testing.assert_array_equal(load(path).lengths_mm, LENGTHS_MM)


def test_what_only_some_files_have(make_zip: Callable[..., Path]) -> None:
    path = make_zip(cortical_txt="1\n0\n1\n", average_orientations_txt=text(np.eye(3)))
    connectome = load(path)
    np.testing.assert_array_equal(connectome.cortical, [True, False, True])
    np.testing.assert_array_equal(connectome.orientations, np.eye(3))


def test_optional_tables_that_do_not_cover_every_region_are_left_out(
    make_zip: Callable[..., Path],
) -> None:
    assert load(make_zip(cortical_txt="1\n0\n")).cortical is None


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (message,) = faults_of(tmp_path / "none.zip")
    assert "No such file" in message


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip at all", b"\x00" * 1000])
def test_no_zip(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "brain.zip"
    path.write_bytes(content)
    (message,) = faults_of(path)
    assert "damaged or no TVB connectivity zip" in message


def test_a_zip_cut_off_anywhere_is_refused(make_zip: Callable[..., Path]) -> None:
    path = make_zip()
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        faults_of(path)


def test_a_damaged_byte_is_refused_or_harmless(make_zip: Callable[..., Path]) -> None:
    path = make_zip()
    whole, reference = path.read_bytes(), load(path)
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            connectome = load(path)
        except ExperimentError:
            continue
        np.testing.assert_array_equal(connectome.weights, reference.weights)
        np.testing.assert_array_equal(connectome.lengths_mm, reference.lengths_mm)
        assert connectome.labels == reference.labels


@pytest.mark.parametrize("stem", ["weights", "tract_lengths", "centres"])
def test_missing_members_are_named(make_zip: Callable[..., Path], stem: str) -> None:
    (message,) = faults_of(make_zip(**{f"{stem}_txt": None}))
    assert f"it has no {stem}.txt" in message


def change(table: Reals, i: int, j: int, value: float) -> str:
    changed = table.copy()
    changed[i, j] = value
    return text(changed)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"weights_txt": text(WEIGHTS[:2])}, r"weights has shape \(2, 3\), expected \(3, 3\)"),
        ({"tract_lengths_txt": text(LENGTHS_MM[:, :2])}, r"tract_lengths has shape \(3, 2\)"),
        ({"weights_txt": change(WEIGHTS, 0, 2, np.nan)}, "not finite, the first from rA to lA"),
        ({"weights_txt": change(WEIGHTS, 0, 2, np.inf)}, "not finite, the first from rA to lA"),
        ({"weights_txt": change(WEIGHTS, 1, 0, -2.0)}, "negative, the first from lA to lB: -2.0"),
        ({"tract_lengths_txt": change(LENGTHS_MM, 2, 0, -1)}, "tract_lengths has 1 of 9 entries"),
        ({"centres_txt": centres(("lA", "lB", "lA"))}, "not unique: lA"),
        ({"centres_txt": "lA 0 0\nlB 1 1 1\nrA 2 2 2\n"}, "line 1: expected a label and x, y, z"),
        ({"centres_txt": "lA 0 0 high\n"}, "high"),
        ({"centres_txt": ""}, "0 regions, expected 1 to"),
        ({"weights_txt": "1 2\n3\n"}, "weights.txt is not a table of numbers"),
        ({"weights_txt": "a b c\n"}, "weights.txt is not a table of numbers"),
        ({"weights_txt": ""}, "weights.txt is empty"),
        ({"weights_txt": b"\xff\xfe1\x00"}, "utf-8"),
    ],
)
def test_faults_in_the_tables_are_named(
    make_zip: Callable[..., Path], changes: dict[str, str | bytes], says: str
) -> None:
    with pytest.raises(ExperimentError, match=says):
        load(make_zip(**changes))


def test_all_faults_come_at_once(make_zip: Callable[..., Path]) -> None:
    path = make_zip(
        weights_txt=change(WEIGHTS, 0, 1, -1.0),
        tract_lengths_txt=change(LENGTHS_MM, 0, 1, np.nan),
        centres_txt=centres(("lA", "lA", "rA")),
    )
    assert len(faults_of(path)) == 3


def test_damaged_bz2_is_refused(make_zip: Callable[..., Path]) -> None:
    packed = bz2.compress(text(WEIGHTS).encode())
    path = make_zip(weights_txt=None, **{"weights.txt.bz2": packed[:-8]})
    (message,) = faults_of(path)
    assert "end-of-stream" in message


def test_a_member_that_unpacks_to_too_much_is_refused(
    make_zip: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tvb_nest_cosim.cosim_core.model.connectome.MAX_MEMBER_BYTES", 1000)
    bomb = bz2.compress(b"0 " * 100_000)
    assert len(bomb) < 1000
    for changes in ({"weights.txt": "0 " * 1000}, {"weights.txt": None, "weights.txt.bz2": bomb}):
        (message,) = faults_of(make_zip(**changes))
        assert "more than 1000 bytes" in message


def test_the_mouse_connectome(shared_data: Path) -> None:
    choice = ConnectomeChoice(source="allen-mouse", length_unit_mm=0.1)
    connectome = load_connectome(shared_data / "ConnectivityAllen2mm.zip", choice)
    assert len(connectome.labels) == 98
    assert connectome.weights.max() == 1.0
    assert 0 < connectome.lengths_mm.max() < 20
