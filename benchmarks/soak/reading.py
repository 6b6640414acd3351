"""``python -m benchmarks.soak.reading``: reads all of runs, and compares with undisturbed ones.

In a process of its own, since what lies there may be damaged. Its arguments are run directories,
each followed by that of the same run, undisturbed. For each part of each run it prints ``same``,
``prefix`` (of a run that did not finish), ``missing``, ``different``, ``error:`` and the error, or
``crash:`` and what was raised in place of one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tvb_nest_cosim.cosim_core.errors import CosimError
from tvb_nest_cosim.cosim_core.processes.commands import module_command
from tvb_nest_cosim.cosim_core.results import digest, open_run
from tvb_nest_cosim.cosim_core.results.run import Run

Values = npt.NDArray[np.generic]
Arrays = dict[str, Values]

TIMEOUT_S = 100.0


def read(pairs: Sequence[tuple[Path, Path]]) -> list[dict[str, str]]:
    """Reads every part of runs, in a process of its own.

    Args:
        pairs: Run directories, each with that of the same run, undisturbed.

    Returns:
        What was found of each run, by part.
    """
    paths = [str(path) for pair in pairs for path in pair]
    command = module_command("benchmarks.soak.reading", *paths)
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode:
        found = f"crash: exit code {done.returncode}: {done.stderr[-500:]}"
        return [{"reader": found} for _ in pairs]
    return list(json.loads(done.stdout))


def _spikes(run: Run) -> Arrays:
    found: Arrays = {}
    for region, populations in run.populations.items():
        for population in populations:
            times, neurons = run.spikes(region, population)
            found[f"times {region} {population}"] = times
            found[f"neurons {region} {population}"] = neurons
    return found


def _dataset(name: str) -> Callable[[Run], Arrays]:
    def read_dataset(run: Run) -> Arrays:
        return {str(key): found.values for key, found in getattr(run, name).variables.items()}

    return read_dataset


def _timing(run: Run) -> Arrays:
    frame = run.timing  # times differ from run to run, windows do not
    return {name: frame[name].to_numpy().astype(str) for name in ("participant", "window")}


def _digest(run: Run) -> Arrays:
    return {"digest": np.array(digest(run.root) or "")}  # anew, from the journals


PARTS: dict[str, Callable[[Run], Arrays]] = {
    "spikes": _spikes,
    **{name: _dataset(name) for name in ("tvb", "rates", "analog")},
    "timing": _timing,
    "digest": _digest,
}


def compared(part: str, root: Path, reference: Path) -> str:
    """Reads a part of a run and says how it compares with that of another."""
    try:
        with open_run(root) as run, open_run(reference) as known:
            if part != "digest" and known.has(part) and not run.has(part):
                return "missing"
            return how_alike(PARTS[part](run), PARTS[part](known))
    except CosimError as error:
        return f"error: {error}"
    except Exception as error:  # what a damaged file should not raise, and is looked for
        return f"crash: {type(error).__name__}: {error}"


def how_alike(found: Arrays, known: Arrays) -> str:
    """Says whether arrays are the ``same`` as those known, their ``prefix``, or ``different``."""
    if found.keys() == known.keys() and all(
        np.array_equal(found[key], known[key], _is_real(known[key])) for key in known
    ):
        return "same"
    # Before the first window has been computed, a file may lack variables.
    if found.keys() <= known.keys() and all(_begins(known[key], found[key]) for key in found):
        return "prefix"
    return "different"


def _begins(whole: Values, part: Values) -> bool:
    return (
        part.ndim == whole.ndim > 0
        and len(part) <= len(whole)
        and np.array_equal(part, whole[: len(part)], _is_real(whole))
    )


def _is_real(array: Values) -> bool:
    return array.dtype.kind == "f"


if __name__ == "__main__":
    paths = [Path(argument) for argument in sys.argv[1:]]
    pairs = zip(paths[::2], paths[1::2], strict=True)
    print(json.dumps([{part: compared(part, *pair) for part in PARTS} for pair in pairs]))
