"""Requests, and those answers that only the server makes; the others are in client/responses.py."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from tvb_nest_cosim.cosim_core.client import responses
from tvb_nest_cosim.cosim_core.client.responses import Answer, FaultAnswer
from tvb_nest_cosim.orchestrator.server.live.live_run import Live
from tvb_nest_cosim.orchestrator.server.plan_report import PlanReport
from tvb_nest_cosim.orchestrator.store import RunRow, RunState

PREFIX = "/api/v1"

RUN_ID = r"^[a-z0-9][a-z0-9-]{0,39}$"
"""Identities of runs, which name their directories."""

MAX_YAML_CHARACTERS = 256 * 1024
"""Longest experiment as text: YAML of this length takes seconds to read."""

_TINY: dict[str, Any] = {
    "name": "tiny",
    "duration_ms": 100,
    "adex": {"neurons": 100},
    "spiking": [{"regions": ["rHC"]}],
}


class Body(BaseModel):
    """A request that refuses what it does not know."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class ExperimentBody(Body):
    """An experiment, as a tree or as YAML text."""

    experiment: dict[str, JsonValue] | None = None
    """The experiment as a tree; /api/v1/schema describes it."""
    yaml: Annotated[str, Field(max_length=MAX_YAML_CHARACTERS)] | None = None
    """The experiment as YAML text, in place of ``experiment``."""
    overrides: list[Annotated[str, Field(max_length=10_000)]] = Field(
        default_factory=list, max_length=1000
    )
    """Changes of the form ``key.path=value``."""

    @model_validator(mode="before")
    @classmethod
    def _is_text(cls, tree: Any) -> Any:
        """Refuses what JSON can carry but neither text nor databases can hold."""
        if not isinstance(tree, dict):
            return tree
        try:
            text = json.dumps(tree, ensure_ascii=False, allow_nan=False)
            text.encode()
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(
                "holds values that are not numbers, or characters that are not text"
            ) from error
        if "\\u0000" in text:
            raise ValueError("holds the character 0, which is not text")
        return tree

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.experiment is None) == (self.yaml is None):
            raise ValueError("needs 'experiment' or 'yaml', one of them")
        return self

    @property
    def source(self) -> dict[str, Any] | str:
        """The experiment in the form it came."""
        return self.yaml if self.yaml is not None else dict(self.experiment or {})


class NewRunBody(ExperimentBody):
    """A run that is wanted."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"experiment": _TINY, "label": "first try"},
                {"yaml": "name: tiny\nspiking: [{regions: [rHC]}]\nadex: {}\n"},
            ]
        }
    )
    label: Annotated[str, Field(max_length=200)] | None = None
    """What to call the run."""


class ValidateBody(ExperimentBody):
    """An experiment to be checked."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"experiment": _TINY}]})
    label: Annotated[str, Field(max_length=200)] | None = None
    """Taken and ignored, so that what is to be run can be checked as it is."""
    build: bool = False
    """Also let the simulators build their sides; only while no run goes on."""


class StepBody(Body):
    """How far a paused run is to go."""

    windows: int = Field(default=1, ge=1, le=1_000_000)
    """Windows."""


class RunAnswer(responses.RunAnswer):
    """A run."""

    state: RunState

    @classmethod
    def of(cls, row: RunRow, live: Live | None) -> RunAnswer:
        """Describes a run from the store and, if it is going on, from life."""
        own = f"{PREFIX}/runs/{row.id}"
        names = ("events", "files", "figures", "experiment", "connectome", "timing", "archive.zip")
        return cls(
            id=row.id,
            label=row.label,
            name=row.name,
            state=RunState(row.state) if live is None else live.state,
            cause=row.cause if live is None else live.cause,
            created=row.created,
            started=row.started,
            ended=row.ended,
            windows=row.windows if live is None else live.windows,
            windows_total=row.windows_total,
            duration_ms=row.duration_ms,
            wall_s=row.wall_s,
            digest=row.digest,
            faults=[FaultAnswer(**fault) for fault in row.faults or ()],
            links={"self": own, **{name.split(".")[0]: f"{own}/{name}" for name in names}},
        )


class RunPage(responses.RunPage):
    """A page of runs, the newest first."""

    items: Sequence[RunAnswer]


class Verdict(responses.Verdict):
    """Whether an experiment can be run."""

    plan: PlanReport | None  # type: ignore[assignment]  # has more


class ExampleAnswer(Answer):
    """A shipped experiment."""

    name: str
    description: str


class ExampleList(Answer):
    """Shipped experiments."""

    items: list[ExampleAnswer]


class AgentAnswer(Answer):
    """What can play a role of the ensemble."""

    role: str
    host: str
    versions: dict[str, str]
    cores: int | None
    memory_bytes: int | None
    mpi: bool
    busy: bool


class EnsembleAnswer(Answer):
    """Who carries out runs."""

    launcher: str
    """``local``: processes of the server's machine; ``attach``: agents."""
    agents: list[AgentAnswer]


class ConnectomeAnswer(Answer):
    """A connectome as plots need it."""

    labels: list[str]
    centres: list[list[float]]
    """Shape (region, 3)."""
    weights: list[list[float]]
    """Row i, column j: from region j to region i."""
    spiking: list[int]
    """Indices of the spiking regions."""
