"""``plan.json``: the plan that the participants got, and what they have built."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from tvb_nest_cosim.cosim_core.errors import RunDirectoryError
from tvb_nest_cosim.cosim_core.model.plan import Built, RunPlan
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout, write_atomically


def write_plan(root: Path, plan: RunPlan, built: Built) -> None:
    """Writes the file into a run directory.

    Raises:
        RunDirectoryError: If that is not possible, e.g. because the disk is full.
    """
    tree = {
        "plan": plan.model_dump(mode="json"),
        "populations": built.populations,
        "facts": {"tvb": {"monitors": built.model_dump(mode="json")["monitors"]}},
    }
    write_atomically(RunLayout(root).plan, json.dumps(tree, indent=1).encode())


def read_plan(root: Path) -> tuple[RunPlan, Built]:
    """Reads the file of a run directory.

    Returns:
        The plan, and the populations and monitors that were built; none of them if the run ended
        before.

    Raises:
        RunDirectoryError: If there is no such file, or it is damaged or of another version.
    """
    path = RunLayout(root).plan
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        monitors = tree.get("facts", {}).get("tvb", {}).get("monitors", {})
        built = {"populations": tree.get("populations") or {}, "monitors": monitors}
        return RunPlan.model_validate(tree["plan"]), Built.model_validate(built)
    except FileNotFoundError as error:
        raise RunDirectoryError(
            f"{root} is not a run directory: it has no {path.name}. Give the folder that "
            "'cosim run' named when it started"
        ) from error
    except OSError as error:
        raise RunDirectoryError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, AttributeError, TypeError, ValidationError) as error:
        raise RunDirectoryError(
            f"{path} is damaged or of another version of this program: {error}. "
            "Run the experiment again (experiment.yaml is in the same folder)"
        ) from error
