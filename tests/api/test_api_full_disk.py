"""A disk that fills up under a server: the run fails in one sentence, the service lives on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.test_api_real import TINY, _until, server
from small_disk import MIB, mounted
from tvb_nest_cosim.cosim_core.errors import ExperimentError


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MiB."""
    with mounted(tmp_path / "disk", 40 * MIB) as folder:
        yield folder


def fill(folder: Path) -> Path:
    """Takes all the space that is left."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        for size in (MIB, 4096, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    return path


def test_full_disk_fails_one_run_and_not_the_service(small_disk: Path) -> None:
    with server(small_disk / "home") as (client, _):
        with pytest.raises(ExperimentError, match=r"free"):
            client.create(TINY, ["duration_ms=10000000"])
        before = client.create(TINY).id
        expected = client.wait(before).digest
        run = client.create(TINY, ["duration_ms=3000"]).id
        _until(lambda: client.run(run).windows > 3)
        filler = fill(small_disk)
        _until(lambda: client.run(run).state in ("finishing", "failed"))
        assert client._http.get("/healthz").status_code == 200
        assert client.runs().total == 2
        filler.unlink()
        failed = client.wait(run)
        assert failed.state == "failed"
        assert "No space left on device" in failed.cause
        after = client.create(TINY).id
        done = client.wait(after)
        assert (done.state, done.digest) == ("finished", expected)
