"""Where connectomes are found, and how those that no package ships are fetched."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import requests

from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.cosim_core.model.connectome import load_connectome
from tvb_nest_cosim.cosim_core.model.experiment import ConnectomeChoice
from tvb_nest_cosim.orchestrator.planning import datasets
from tvb_nest_cosim.orchestrator.planning.datasets import (
    Download,
    cached,
    connectome_path,
    fetch,
    list_data,
)

CONTENT = b"a connectome, for all we know"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(datasets.CACHE_VARIABLE, str(tmp_path / "cache"))


@pytest.fixture
def _small_download(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Download("https://example.invalid/x.zip", hashlib.sha256(CONTENT).hexdigest(), 1, "x")
    monkeypatch.setitem(datasets.DOWNLOADS, "allen-mouse", entry)


@pytest.mark.parametrize("name", ["connectivity_76", "connectivity_76.zip"])
def test_names_of_tvb_data(name: str, tmp_path: Path) -> None:
    path = connectome_path(name, tmp_path)
    assert len(load_connectome(path, ConnectomeChoice()).labels) == 76


def test_paths_are_relative_to_the_experiment_and_win(tmp_path: Path) -> None:
    mine = tmp_path / "connectivity_76.zip"
    mine.touch()
    assert connectome_path("connectivity_76.zip", tmp_path) == mine
    assert connectome_path(str(mine), Path("/")) == mine


def test_unknown_names_suggest_near_ones(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="did you mean connectivity_76"):
        connectome_path("conectivity_76", tmp_path)
    with pytest.raises(ExperimentError, match="known are: allen-mouse, connectivity_192, "):
        connectome_path("zzz", tmp_path)


def test_a_download_not_there_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="cosim data fetch allen-mouse"):
        connectome_path("allen-mouse", tmp_path)


def test_list() -> None:
    rows = {row.name: row for row in list_data()}
    assert (rows["connectivity_66"].regions, rows["connectivity_66"].present) == (66, True)
    assert (rows["allen-mouse"].regions, rows["allen-mouse"].present) == (98, False)
    assert rows["allen-mouse"].where.startswith("https://")


@pytest.mark.usefixtures("_small_download")
def test_a_copy_is_adopted_and_found(tmp_path: Path) -> None:
    copy = tmp_path / "copy.zip"
    copy.write_bytes(CONTENT)
    assert fetch("allen-mouse", source=copy) == cached("allen-mouse")
    assert connectome_path("allen-mouse", tmp_path).read_bytes() == CONTENT
    assert {row.name: row.present for row in list_data()}["allen-mouse"]


def test_a_wrong_copy_is_refused(tmp_path: Path) -> None:
    copy = tmp_path / "copy.zip"
    copy.write_bytes(CONTENT)
    with pytest.raises(ExperimentError, match=f"{hashlib.sha256(CONTENT).hexdigest()}, expected"):
        fetch("allen-mouse", source=copy)
    assert not cached("allen-mouse").exists()


def test_a_copy_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"could not be fetched from .*nowhere"):
        fetch("allen-mouse", source=tmp_path / "nowhere")


def test_names_that_cannot_be_fetched() -> None:
    with pytest.raises(ExperimentError, match="what can be: allen-mouse"):
        fetch("connectivity_76")


class _Response:
    """What an HTTP server would answer."""

    def __init__(self, content: bytes) -> None:
        self.headers = {"content-length": str(len(content))}
        self._content = content

    def raise_for_status(self) -> None:
        return

    def iter_content(self, chunk_size: int) -> list[bytes]:
        return [self._content[:10], self._content[10:]]

    def close(self) -> None:
        return


@pytest.mark.usefixtures("_small_download")
def test_a_download_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "get", lambda url, **how: _Response(CONTENT))
    assert fetch("allen-mouse").read_bytes() == CONTENT


@pytest.mark.usefixtures("_small_download")
def test_a_download_of_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "get", lambda url, **how: _Response(b"something else"))
    with pytest.raises(ExperimentError, match="is not the expected file"):
        fetch("allen-mouse")
    assert not cached("allen-mouse").exists()


@pytest.mark.usefixtures("_small_download")
def test_no_network_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def unplugged(url: str, **how: object) -> None:
        raise requests.ConnectionError("no route to host")

    monkeypatch.setattr(requests, "get", unplugged)
    with pytest.raises(ExperimentError, match=r"no route to host.*--from FILE"):
        fetch("allen-mouse")
