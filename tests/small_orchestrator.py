"""A small orchestrator for tests: the real coordinator, every participant in a thread.

No process is started and, over the transport in memory, no socket is opened. So a run of real
simulators takes a tenth of a second where one in processes takes three. NEST's kernel has to be
used from one thread in all runs of a process: rank 0 of NEST takes part in the calling one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tvb_nest_cosim.cosim_core.deadline import Deadline
from tvb_nest_cosim.cosim_core.errors import CosimError, ParticipantLost, StopRequested
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.participant.link import Identity, Link
from tvb_nest_cosim.cosim_core.participant.window_loop import run_windows
from tvb_nest_cosim.cosim_core.participant.work import (
    _report_error,
    run_translator,
    work_and_record,
)
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.plan_file import write_plan
from tvb_nest_cosim.cosim_core.run_dir.recorder import Recorder
from tvb_nest_cosim.cosim_core.wire.codec import decode_message, encode_message
from tvb_nest_cosim.cosim_core.wire.protocol import Role, peer_name
from tvb_nest_cosim.cosim_core.wire.transport import MemoryTransport, Transport
from tvb_nest_cosim.orchestrator.run.coordinator import Coordinator
from tvb_nest_cosim.orchestrator.run.peers import Outcome, Send

MakeSimulators = Mapping[Any, Callable[[int], Any]]
"""Makes the simulator of a rank, by role."""

MakeTranslation = Callable[[RunPlan], Any]
Script = Callable[["SmallOrchestrator"], None]


class Vanish(BaseException):
    """Raised by a simulator whose process shall vanish without a word."""


class SmallOrchestrator:
    """Carries one plan through a run.

    Args:
        plan: The plan; its run directory is made.
        simulators: Makes the simulators.
        make_translation: Makes the translation.
        make_transport: Makes the transport of one participant; none: all share one in memory.
        endpoints: Where to bind the control plane and the data plane.

    Attributes:
        coordinator: The real coordinator, which decides everything.
        ended: How every participant ended, by name.
    """

    def __init__(
        self,
        plan: RunPlan,
        simulators: MakeSimulators,
        make_translation: MakeTranslation,
        make_transport: Callable[[], Transport] | None = None,
        endpoints: tuple[str, str] = ("memory://control", "memory://data"),
    ) -> None:
        RunLayout(Path(plan.run_dir)).make()
        self.plan = plan
        self.coordinator = Coordinator(plan, endpoints[1], time.monotonic())
        self.ended: dict[str, str] = {}
        self._simulators, self._make_translation = simulators, make_translation
        shared = MemoryTransport()
        self._make_transport = make_transport or (lambda: shared)
        self._transport = self._make_transport()
        self._control = self._transport.bind(endpoints[0])
        self._vanished: list[str] = []
        self._errors: list[BaseException] = []

    def run(self, script: Script = lambda orchestrator: None, timeout_s: float = 60.0) -> Outcome:
        """Runs to the end; the script is called again and again meanwhile."""
        ranks = [(role, k) for role, count in self.plan.participants.items() for k in range(count)]
        here = ("nest", 0) if ("nest", 0) in ranks else ranks[0]
        threads = [
            threading.Thread(target=self._participate, args=who, name=peer_name(*who))
            for who in ranks
            if who != here
        ]
        threads.append(
            threading.Thread(target=self._run, args=(script, timeout_s), name="orchestrator")
        )
        for thread in threads:
            thread.start()
        self._participate(*here)
        for thread in threads:
            thread.join(timeout_s)
        self._control.close()
        self._transport.close()
        if self._errors:
            raise self._errors[0]
        assert self.coordinator.outcome is not None
        return self.coordinator.outcome

    def send(self, sends: list[Send]) -> None:
        """Sends what the coordinator wants sent."""
        for name, message in sends:
            with suppress(ParticipantLost):
                self._control.send(encode_message(message), name)

    def _run(self, script: Script, timeout_s: float) -> None:
        deadline = Deadline.after(timeout_s)
        try:
            while self.coordinator.outcome is None and not deadline.passed():
                self._transport.wait([self._control], 0.02)
                self._listen()
                while self._vanished:
                    how = "was killed by signal 9 (SIGKILL)"
                    name = self._vanished.pop()
                    self.send(self.coordinator.lose([name], how, now_s=time.monotonic()))
                self.send(self.coordinator.tick(time.monotonic()))
                script(self)
        except Exception as error:
            self._errors.append(error)
        self.send(self.coordinator.abort("the test took too long"))

    def _listen(self) -> None:
        while (received := self._control.receive()) is not None:
            name, frames = received
            message = decode_message(frames, name)
            self.send(self.coordinator.hear(name, message, time.monotonic()))

    def _participate(self, role: Role, rank: int) -> None:
        transport = self._make_transport()
        who = Identity(role, rank, self.plan.run, self.plan.experiment_digest)
        link = Link(transport, self._control.endpoint, who)
        name = peer_name(role, rank)
        try:
            work_and_record(link, *link.greet(20.0), self._work)
            link.bye()
            self.ended[name] = "done"
        except (StopRequested, ParticipantLost) as error:
            self.ended[name] = type(error).__name__
        except CosimError as error:
            self.ended[name] = str(error)
            _report_error(link, error)
        except Exception as error:
            self.ended[name] = repr(error)
            link.fail(f"unexpected {error!r}")
        except Vanish:
            self._vanished.append(name)
        finally:
            if transport is not self._transport:
                transport.close()

    def _work(self, link: Link, plan: RunPlan, recorder: Recorder, endpoint: str) -> None:
        role, rank = link.identity.role, link.identity.rank
        if role == "translator":
            run_translator(self._make_translation, link, plan, recorder, endpoint)
            return
        simulator = self._simulators[role](rank)
        try:
            link.ready(simulator.build(plan, rank, recorder.record), None)
            run_windows(simulator, link, plan, recorder, link.await_start())
        finally:
            simulator.close()


def run_in_memory(
    plan: RunPlan, simulators: MakeSimulators, make_translation: MakeTranslation
) -> SmallOrchestrator:
    """Runs a plan to its end and leaves journals and ``plan.json`` in its run directory."""
    orchestrator = SmallOrchestrator(plan, simulators, make_translation)
    orchestrator.run()
    built = orchestrator.coordinator.built()
    write_plan(Path(plan.run_dir), plan, built)
    return orchestrator
