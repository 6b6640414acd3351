"""Words that once stood for something here must not come back as names (docs/decisions/0011)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
CODE = ("services", "benchmarks")

PROCESSES = "launcher, processes (orchestrator/launchers); for a location: path, index, position"

WORDS = {
    "late": "lazy_imports",
    "leash": "die_with_parent",
    "sighting": "process_state",
    "sightings": "process_state",
    "unkept": "without_journal",
    "place": PROCESSES,
    "places": PROCESSES,
    "site": PROCESSES,
    "sites": PROCESSES,
    "crew": "process group",
    "conductor": "RunQueue (server), Coordinator (one run) or runner (sweep)",
    "conduct": "run",
    "mourn": "note_exits",
    "obey": "handle",
    "doorkeeper": "authenticator",
    "standby": "warm_worker",
    "aftermath": "recovery",
    "explain": "estimate",
}
"""Words that no module, folder, class, function or constant may have in its name."""

NAMES = {
    "Choice": "launcher options",
    "OpenSite": PROCESSES,
    "Ensemble": PROCESSES,
    "LocalEnsemble": PROCESSES,
    "AttachedEnsemble": PROCESSES,
    "EnsemblePlan": "RunPlan",
}
"""Classes and constants whose better names stand beside them."""

MODULES = {
    "answers": "what is answered: cache, curves, responses",
    "assembly": "build",
    "classes": "registry",
    "counters": "random_numbers",
    "earlier_run": "recorded_run",
    "ensemble": "launchers",
    "foreign": "lazy_elephant",
    "guards": "user_output",
    "heat": "heatmaps",
    "incoming": "pipeline",
    "initial": "initial_conditions",
    "recursion": "noise",
    "trial": "dry_run",
}
"""Names of modules and folders that say too little."""

SWEEP_NAMES = {"Record": "SweepRow"}
"""Classes of a sweep; a record is what a participant keeps of a window."""


def words_of(name: str) -> list[str]:
    """Splits a name at underscores and capitals."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def defined_in(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yields line and name of every class, function and module-level constant."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        yield from ((node.lineno, target.id) for target in targets if isinstance(target, ast.Name))


def better_name(name: str, path: Path) -> str | None:
    """Returns what a banned name of a definition should be; None for a name that may stand."""
    if "sweep" in path.parts and name in SWEEP_NAMES:
        return SWEEP_NAMES[name]
    if name in NAMES:
        return NAMES[name]
    return next((WORDS[word] for word in words_of(name) if word in WORDS), None)


def banned_names(root: Path) -> list[str]:
    """Lists the banned names below a folder, each with the better one."""
    found = []
    modules = [
        path.relative_to(root)
        for folder in CODE
        for path in sorted((root / folder).rglob("*.py"))
        if "examples" not in path.parts
    ]
    paths = {part for path in modules for part in (path, *path.parents)}
    for path in sorted(paths):
        word = next((word for word in words_of(path.stem) if word in WORDS), None)
        better = MODULES.get(path.stem) or (WORDS[word] if word else None)
        if better:
            found.append(f"{path}: better {better}")
    for path in modules:
        for line, name in defined_in(ast.parse((root / path).read_text(encoding="utf-8"))):
            better = better_name(name, path)
            if better:
                found.append(f"{path}:{line}: {name}: better {better}")
    return found


def test_banned_words_define_nothing() -> None:
    found = banned_names(REPOSITORY)
    assert not found, "\n".join(["banned names:", *found])


def test_every_kind_of_definition_is_looked_at(tmp_path: Path) -> None:
    folder = tmp_path / "services" / "sites"
    folder.mkdir(parents=True)
    (tmp_path / "services" / "sweep").mkdir()
    (folder / "leash.py").write_text(
        "NO_PLACE = 1\nEnsemble: type = int\nclass OpenSite:\n    async def _mourn(self): ...\n"
    )
    (folder / "plain.py").write_text("def replace(): ...\nclass Record: ...\n")
    (tmp_path / "services" / "sweep" / "row.py").write_text("class Record: ...\n")
    found = [line.partition(": better")[0] for line in banned_names(tmp_path)]
    assert found == [
        "services/sites",
        "services/sites/leash.py",
        "services/sites/leash.py:3: OpenSite",
        "services/sites/leash.py:4: _mourn",
        "services/sites/leash.py:1: NO_PLACE",
        "services/sites/leash.py:2: Ensemble",
        "services/sweep/row.py:1: Record",
    ]
