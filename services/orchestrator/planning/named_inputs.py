"""Lists what an experiment names: files and modules here, packages elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import ExperimentError
from tvb_nest_cosim.cosim_core.model.experiment import Experiment, File, RunJournal
from tvb_nest_cosim.cosim_core.plugins import (
    copy_path,
    find_file,
    find_run,
    link_path,
    plugin_folders,
)
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.orchestrator.planning.datasets import DOWNLOADS
from tvb_nest_cosim.orchestrator.planning.user_modules import module_files

EARLIER_RUN = "stand_in.run"
"""Key path of a run directory, which is linked and not copied."""

_SHIPPED = "tvb_nest_cosim"
_TRANSLATORS = "tvb_nest_cosim.translators"
"""Group of entry points that translators may be named by."""

_TVB_CLASSES = ("tvb.model.name", "tvb.coupling.name")


@dataclass
class NamedInputs:
    """What an experiment names.

    Attributes:
        files: Key path and absolute path, by path in ``inputs``.
        elsewhere: Names that are not files here, by key path; packages or the participants know
            them.
    """

    files: dict[str, tuple[str, Path]] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)

    def add(self, key: str, place: str, path: Path) -> None:
        """Adds a file.

        Raises:
            ExperimentError: If another file has the same place.
        """
        first_key, first = self.files.setdefault(place, (key, path.absolute()))
        if first != path.absolute():
            raise ExperimentError.single(
                key, f"{path} and {first} ({first_key}) have the same name; rename one of them"
            )


def named_inputs(experiment: Experiment, base_dir: Path) -> NamedInputs:
    """Finds what an experiment names; what does not exist here is left to the participants.

    Args:
        experiment: The experiment.
        base_dir: Folder in which its names are looked up.

    Raises:
        ExperimentError: If a module cannot be read, a package is too large to be copied, or two
            files would have the same place.
    """
    found = NamedInputs()
    folders = [base_dir.absolute(), *plugin_folders()]
    for key, name in _code(experiment):
        module = name.partition(":")[0]
        is_shipped = module.partition(".")[0] == _SHIPPED or ":" not in name
        files = {} if is_shipped else module_files(module, folders, key)
        for place, path in files.items():
            found.add(key, place, path)
        if not files:
            found.elsewhere[key] = name
    for key, name in _files(experiment):
        path = find_file(base_dir, name)
        if path.is_file():
            found.add(key, copy_path(name), path)
        else:
            found.elsewhere[key] = name
    if isinstance(experiment.stand_in, RunJournal):
        name = experiment.stand_in.run
        run = RunLayout(find_run(base_dir, name))
        for path in (run.plan, run.journal("translator", 0)):
            if path.is_file():
                found.add(EARLIER_RUN, f"{link_path(name)}/{path.relative_to(run.root)}", path)
    return found


def _code(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """Yields key path and name of every piece of code that may be a user's."""
    for number, group in enumerate(experiment.spiking):
        yield f"spiking.{number}.network.module", group.network.module
        for part, translator in (
            ("drive", group.drive.translator),
            ("rate", group.rate.translator),
        ):
            if translator:
                yield f"spiking.{number}.{part}.translator", translator
    yield from zip(
        _TVB_CLASSES, (experiment.tvb.model.name, experiment.tvb.coupling.name), strict=True
    )


def _files(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """Yields key path and name of every file that may lie beside the experiment."""
    if experiment.connectome.source not in DOWNLOADS:
        yield "connectome.source", experiment.connectome.source
    if isinstance(experiment.stand_in, File):
        yield "stand_in.path", experiment.stand_in.path
    for number, monitor in enumerate(experiment.tvb.monitors):
        for key in ("sensors", "projection", "region_mapping"):
            name = getattr(monitor, key)
            if name:
                yield f"tvb.monitors.{number}.{key}", name


def packages_of(elsewhere: dict[str, str]) -> dict[str, str]:
    """Returns the distribution and its version, by name in the experiment."""
    found = {}
    for key, name in elsewhere.items():
        if ":" in name:
            found[name] = _distribution(name.partition(":")[0].partition(".")[0])
        elif key.endswith(".translator"):
            points = metadata.entry_points(group=_TRANSLATORS, name=name)
            found[name] = next((point.dist.name for point in points if point.dist), "")
        else:
            found[name] = "tvb-library" if key in _TVB_CLASSES else "tvb-data"
    return {name: _with_version(distribution) for name, distribution in found.items()}


def _distribution(module: str) -> str:
    if module == _SHIPPED:
        return "tvb-nest-cosim"
    return next(iter(metadata.packages_distributions().get(module, [])), "")


def _with_version(distribution: str) -> str:
    try:
        return f"{distribution} {metadata.version(distribution)}"
    except (metadata.PackageNotFoundError, ValueError):
        return "found by the participants only"
