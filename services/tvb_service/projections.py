"""Sensors, lead fields and region mappings of EEG, MEG and intracranial EEG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tvb_data
from tvb.basic.readers import ReaderException
from tvb.datatypes.region_mapping import RegionMapping
from tvb.simulator import noise

from tvb_nest_cosim.cosim_core.errors import Fault
from tvb_nest_cosim.cosim_core.model.connectome import Connectome
from tvb_nest_cosim.cosim_core.model.experiment.tvb import Monitor
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.plugins import cause_of, find_file

_FOLDERS = {
    "sensors": "sensors",
    "projection": "projectionMatrix",
    "region_mapping": "regionMapping",
}
"""Folder of tvb-data by key of the monitor."""


def add_sensors(
    monitor: Any,
    declared: Monitor,
    number: int,
    plan: RunPlan,
    connectome: Connectome,
    faults: list[Fault],
) -> None:
    """Loads the files of a projection monitor and seeds its observation noise.

    Without a projection TVB computes the lead field of a homogeneous sphere (Sarvas 1987) from
    the centres and orientations of the regions.

    Args:
        monitor: An EEG, MEG or iEEG of tvb-library.
        declared: Its declaration.
        number: Its index in ``tvb.monitors``.
        plan: The plan.
        connectome: The connectome.
        faults: Gets everything that is wrong.
    """
    path = f"tvb.monitors.{number}"
    known = len(faults)
    files = {key: _file(declared, key, plan.base_dir, path, faults) for key in _FOLDERS}
    if declared.sensors is None:
        text = f"missing: {declared.name} needs a file of sensors{_offer('sensors')}"
        faults.append(Fault(f"{path}.sensors", text))
    if declared.projection is not None and declared.region_mapping is None:
        text = (
            "missing: the projection is from the vertices of a surface, so their regions are "
            f"needed{_offer('region_mapping')}"
        )
        faults.append(Fault(f"{path}.region_mapping", text))
    if connectome.orientations is None:
        faults += _orientation_faults(declared, connectome, path)
    if len(faults) > known:
        return
    try:
        _load(monitor, files, len(connectome.labels))
    except (ReaderException, ValueError, OSError) as error:
        faults.append(Fault(path, f"a file cannot be read: {cause_of(error)}"))
        return
    _check_fit(monitor, declared, connectome, path, faults)
    if monitor.obsnoise is not None:
        stream = np.random.SeedSequence([plan.experiment.seed, number + 1])
        monitor.obsnoise = noise.Additive(noise_seed=int(stream.generate_state(1)[0]))


def _orientation_faults(declared: Monitor, connectome: Connectome, path: str) -> list[Fault]:
    """Refuses what TVB computes from orientations: the sphere's lead field, of some regions or all.

    A projection says what reaches the sensors from cortical regions, so it needs no orientations.
    """
    if declared.projection is None:
        text = (
            "missing: without a projection TVB needs the orientations of the regions, which "
            f"this connectome does not have{_offer('projection')}"
        )
        return [Fault(f"{path}.projection", text)]
    if connectome.cortical is None or connectome.cortical.all():
        return []
    count = int((~connectome.cortical).sum())
    text = (
        f"covers cortical regions only; what {declared.name} sees of the other {count}, the first "
        f"is {connectome.labels[int(connectome.cortical.argmin())]}, TVB computes from their "
        "orientations, which this connectome does not have. Use a connectome with "
        "average_orientations.txt, or one without cortical.txt and a projection of all regions"
    )
    return [Fault(f"{path}.projection", text)]


def _load(monitor: Any, files: dict[str, str | None], region_count: int) -> None:
    kind = type(monitor)
    monitor.sensors = kind.sensors.field_type.from_file(files["sensors"])
    monitor.sensors.configure()
    if files["projection"]:
        monitor.projection = kind.projection_class().from_file(files["projection"])
    if files["region_mapping"]:
        monitor.region_mapping = RegionMapping.from_file(files["region_mapping"])
    else:
        # the lead field of a sphere has one column per region already
        monitor.region_mapping = RegionMapping(array_data=np.arange(region_count))


def _check_fit(
    monitor: Any, declared: Monitor, connectome: Connectome, path: str, faults: list[Fault]
) -> None:
    """Refuses files that do not fit together; TVB would fail on them, or silently use them."""
    mapping = monitor.region_mapping.array_data
    count = len(connectome.labels)
    cortical = np.ones(count, np.bool_) if connectome.cortical is None else connectome.cortical
    if mapping.min() < 0 or mapping.max() >= count:
        text = f"names region {mapping.max()}, but the connectome has {count} regions"
        faults.append(Fault(f"{path}.region_mapping", text))
        return
    vertices = int(cortical[mapping].sum())
    missing = np.setdiff1d(np.flatnonzero(cortical), mapping)
    if missing.size:
        text = f"maps no vertex to {missing.size} cortical regions, the first is "
        text += connectome.labels[missing[0]]
        faults.append(Fault(f"{path}.region_mapping", text))
    if declared.projection is None:
        return
    expected = (monitor.sensors.number_of_sensors, vertices)
    if monitor.projection.shape != expected:
        text = (
            f"has shape {monitor.projection.shape}, expected {expected}: one row per sensor, one "
            "column per vertex that the region mapping maps to a cortical region"
        )
        faults.append(Fault(f"{path}.projection", text))


def _file(declared: Monitor, key: str, base_dir: str, path: str, faults: list[Fault]) -> str | None:
    """Finds a file beside the experiment, by its path, or in tvb-data."""
    name = getattr(declared, key)
    if name is None:
        return None
    for found in (find_file(base_dir, name), _data_folder(key) / name):
        if found.is_file():
            return str(found.absolute())
    text = f"there is no file {name}, neither beside the experiment nor in tvb-data{_offer(key)}"
    faults.append(Fault(f"{path}.{key}", text))
    return None


def _offer(key: str) -> str:
    names = [
        entry.name
        for entry in sorted(_data_folder(key).iterdir())
        if entry.suffix in (".txt", ".bz2", ".npy", ".mat")
    ]
    return f"; tvb-data has: {', '.join(names)}"


def _data_folder(key: str) -> Path:
    return Path(tvb_data.__file__).parent / _FOLDERS[key]
