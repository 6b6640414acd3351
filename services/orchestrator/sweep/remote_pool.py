"""Points carried out by a server, one ``cosim serve`` or several behind one address."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tvb_nest_cosim.cosim_core.client import FINAL, Client, RunAnswer, ServerRefusal
from tvb_nest_cosim.cosim_core.deadline import Deadline
from tvb_nest_cosim.cosim_core.errors import ExperimentError, RunDirectoryError
from tvb_nest_cosim.orchestrator.sweep.executor import Ended, Needs
from tvb_nest_cosim.orchestrator.sweep.folder import SweepLayout
from tvb_nest_cosim.orchestrator.sweep.kept_run import check_copy, discard
from tvb_nest_cosim.orchestrator.sweep.points import Point

LOOK_EVERY_S = 1.0
"""Time between two questions about every run."""

PATIENCE_S = 120.0
"""How long the server may be away."""

FETCH_TRIES = 8
"""How often results are fetched that are not complete; the pause doubles from look to look."""

QUEUED = 2
"""Runs that wait on the server beside the present one, so that it never waits for this machine."""


@dataclass
class _Remote:
    """A point that the server has been given.

    Attributes:
        point: The point.
        run: Identity of its run.
        tries: How often incomplete results were fetched.
        next_try: When they may be fetched again.
    """

    point: Point
    run: str
    tries: int = 0
    next_try: Deadline = field(default_factory=lambda: Deadline.after(0.0))


class RemotePool:
    """Sends points to a server and fetches their results.

    Runs carry a label that names their point, so that a sweep that was killed finds them again.

    Args:
        layout: Paths of the sweep.
        client: Client of the server.
        at_once: Most points that are on the server unfinished; None: three.
        look_every_s: Time between two questions about every run.
    """

    def __init__(
        self,
        layout: SweepLayout,
        client: Client,
        at_once: int | None,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._layout = layout
        self._client = client
        self._at_once = at_once or 1 + QUEUED
        self._look_every_s = look_every_s
        self._running: list[_Remote] = []
        self._next_look = Deadline.after(0.0)
        self._gives_up = Deadline.after(PATIENCE_S)
        self._stops = 0

    @property
    def base_dir(self) -> Path | None:
        """See :meth:`Executor.base_dir`."""
        return None

    def examine(self, point: Point, out: Path) -> Needs:
        """See :meth:`Executor.examine`; the server's answer counts."""
        verdict = self._client.validate(_tree(point))
        plan = verdict.plan
        if plan is None:
            raise ExperimentError(fault.fault for fault in verdict.faults)
        warnings = tuple(verdict.warnings)
        return Needs(plan.processes, plan.memory_bytes, plan.disk_bytes, warnings)

    def take(self, waiting: Sequence[tuple[Point, Needs]]) -> list[Point]:
        """See :meth:`Executor.take`."""
        room = 0 if self._stops else self._at_once - len(self._running)
        taken = []
        for point, _ in waiting[: max(0, room)]:
            run = self._find(point) or self._client.create(_tree(point), label=_label(point))
            self._running.append(_Remote(point, run.id))
            taken.append(point)
        return taken

    def _find(self, point: Point) -> RunAnswer | None:
        label = _label(point)
        # Whose failure is noted already is to be tried again; any other is news.
        is_retry = self._layout.record(point.id).is_file()
        lost = FINAL - ({"finished"} if is_retry else {"finished", "failed"})
        found = self._client.runs(search=label).items
        return next((run for run in found if run.label == label and run.state not in lost), None)

    def ended(self) -> list[Ended]:
        """See :meth:`Executor.ended`."""
        if not self._next_look.passed():
            return []
        self._next_look = Deadline.after(self._look_every_s)
        ended = []
        for remote in list(self._running):
            cause = self._patiently(lambda remote=remote: self._cause(remote))  # type: ignore[misc]
            if cause is not None:
                self._running.remove(remote)
                ended.append(Ended(remote.point, cause))
        return ended

    def _patiently(self, ask: Callable[[], str | None]) -> str | None:
        """Asks the server, which may be away for a while."""
        try:
            answer = ask()
        except ServerRefusal as error:
            if error.status or self._gives_up.passed():
                raise
            return None
        self._gives_up = Deadline.after(PATIENCE_S)
        return answer

    def _cause(self, remote: _Remote) -> str | None:
        """Returns why a run did not finish, empty if it did, None if it has not ended."""
        try:
            run = self._client.run(remote.run)
        except ServerRefusal as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return f"run {remote.run} was deleted on the server"
        if run.state not in FINAL:
            return None
        if run.state == "finished":
            return self._fetch(remote) if remote.next_try.passed() else None
        causes = [run.cause, *(f"{fault.path}: {fault.message}" for fault in run.faults)]
        return f"{run.state} on the server: {'; '.join(filter(None, causes))}"

    def _fetch(self, remote: _Remote) -> str | None:
        """Downloads a run; its folder appears when everything is there, and is what it was there.

        Returns:
            As :meth:`_cause`.
        """
        root = self._layout.run(remote.point.id)
        partial = root.with_name(f".{root.name}.partial")
        discard(partial)
        try:
            self._client.fetch(remote.run, partial)
            check_copy(partial)
        except RunDirectoryError as error:
            remote.tries += 1
            if remote.tries < FETCH_TRIES:
                remote.next_try = Deadline.after(self._look_every_s * 2**remote.tries)
                return None
            return (
                f"the server says that run {remote.run} has finished, but {remote.tries} times its "
                f"results came incomplete: {error}. To run it again, delete it there and say "
                "--retry-failed"
            )
        except OSError as error:
            raise RunDirectoryError(
                f"the results of run {remote.run} cannot be written to {partial}: {error}"
            ) from error
        discard(root)
        os.replace(partial, root)
        return ""

    def stop(self) -> None:
        """See :meth:`Executor.stop`."""
        self._stops += 1
        for remote in self._running:
            try:
                if self._stops > 1:
                    self._client.abort(remote.run)
                else:
                    self._client.stop(remote.run)
            except ServerRefusal as error:
                if error.status != HTTPStatus.CONFLICT:
                    raise

    def close(self) -> None:
        """See :meth:`Executor.close`; what is on the server goes on."""
        self._client.close()


def _label(point: Point) -> str:
    return f"point {point.id}"


def _tree(point: Point) -> dict[str, Any]:
    return point.experiment.model_dump(mode="json")
