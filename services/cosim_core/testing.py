"""For tests, of this project and of users: an ensemble inside one process, over any transport."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tvb_nest_cosim.cosim_core.deadline import Deadline
from tvb_nest_cosim.cosim_core.errors import DeadlineExceeded, ParticipantLost
from tvb_nest_cosim.cosim_core.model.plan import Built, RunPlan, merged, plan_file
from tvb_nest_cosim.cosim_core.participant.link import Identity, Link
from tvb_nest_cosim.cosim_core.participant.translator_loop import Translation
from tvb_nest_cosim.cosim_core.participant.window_loop import Simulator, run_windows
from tvb_nest_cosim.cosim_core.participant.work import run_translator, work_and_record
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout, write_atomically
from tvb_nest_cosim.cosim_core.run_dir.recorder import Recorder
from tvb_nest_cosim.cosim_core.wire.codec import decode_message, encode_message
from tvb_nest_cosim.cosim_core.wire.protocol import (
    AnyMessage,
    Configure,
    Done,
    Failed,
    Hello,
    Message,
    Progress,
    Ready,
    Role,
    Start,
    peer_name,
)
from tvb_nest_cosim.cosim_core.wire.transport import Channel, MemoryTransport

CONTROL = "memory://control"
DATA = "memory://data"


@dataclass
class _Host:
    """A minimal orchestrator: configure all, start all, wait for all; no horizon, no faults."""

    plan: RunPlan
    transport: MemoryTransport
    control: Channel
    heard: dict[str, AnyMessage] = field(default_factory=dict)

    def expect(self, kind: type[Message], names: set[str], deadline: Deadline) -> None:
        """Waits until every participant's last message is of a kind."""
        while not all(isinstance(self.heard.get(name), kind) for name in names):
            if deadline.passed():
                raise DeadlineExceeded(f"no {kind.__name__} from everybody: {self.heard}")
            self.transport.wait([self.control], deadline.sooner(0.1))
            while (received := self.control.receive()) is not None:
                name, frames = received
                message = decode_message(frames, name)
                if isinstance(message, Failed):
                    raise AssertionError(f"{name} failed: {message.cause}\n{message.detail}")
                if not isinstance(message, Progress):
                    self.heard[name] = message

    def tell(self, names: set[str], message: AnyMessage) -> None:
        """Sends a message to all."""
        for name in names:
            self.control.send(encode_message(message), name)


def run_in_memory(
    plan: RunPlan,
    simulators: Mapping[Role, Simulator],
    make_translation: Callable[[RunPlan], Translation],
    timeout_s: float = 120.0,
) -> None:
    """Runs an ensemble of one process per role in threads of this process, NEST in this one.

    Journals and ``plan.json`` land in ``plan.run_dir``, which must not exist yet.

    Args:
        plan: The plan; its participants must have one rank each.
        simulators: Simulator by role, for every role but the translator.
        make_translation: Makes the translation.
        timeout_s: Deadline of the whole run.

    Raises:
        AssertionError: If a participant fails.
        DeadlineExceeded: If the run does not end in time.
    """
    RunLayout(Path(plan.run_dir)).make()
    transport = MemoryTransport()
    host = _Host(plan, transport, transport.bind(CONTROL))
    errors: list[BaseException] = []

    def participate(role: Role) -> None:
        link = Link(transport, CONTROL, Identity(role, 0, plan.run, plan.experiment_digest))

        def work(link: Link, plan: RunPlan, recorder: Recorder, endpoint: str) -> None:
            if role == "translator":
                run_translator(make_translation, link, plan, recorder, endpoint)
            else:
                _run_simulator(simulators[role], link, plan, recorder)

        try:
            work_and_record(link, *link.greet(timeout_s), work)
        except BaseException as error:
            errors.append(error)
            with suppress(ParticipantLost):
                link.fail(f"{type(error).__name__}: {error}")

    def conduct() -> None:
        try:
            _conduct(host, set(plan.participants), Deadline.after(timeout_s))
        except (AssertionError, DeadlineExceeded) as error:
            errors.append(error)
        finally:
            host.control.close()

    # NEST's kernel has to be used from one thread, in every run of a process: the calling one.
    here: Role = "nest" if "nest" in simulators else next(iter(simulators))
    threads = [threading.Thread(target=conduct, name="orchestrator")] + [
        threading.Thread(target=participate, args=(role,), name=role)
        for role in plan.participants
        if role != here
    ]
    for thread in threads:
        thread.start()
    participate(here)
    for thread in threads:
        thread.join(timeout_s)
    transport.close()
    if errors:
        raise errors[0]


def _run_simulator(simulator: Simulator, link: Link, plan: RunPlan, recorder: Recorder) -> None:
    try:
        link.ready(simulator.build(plan, 0, recorder.record), None)
        run_windows(simulator, link, plan, recorder, link.await_start())
    finally:
        simulator.close()


def _conduct(host: _Host, roles: set[str], deadline: Deadline) -> None:
    names = {peer_name(role, 0) for role in roles}
    host.expect(Hello, names, deadline)
    plan = host.plan
    host.tell(names, Configure(plan=plan.model_dump(mode="json"), data_endpoint=DATA))
    host.expect(Ready, names, deadline)
    ready = [message for message in host.heard.values() if isinstance(message, Ready)]
    built = merged(Built.model_validate(message.built) for message in ready)
    write_atomically(RunLayout(Path(plan.run_dir)).plan, plan_file(plan, built))
    data = DATA if "translator" in roles else None
    windows = plan.grid.window_count
    rows = plan.rows_of_rates(built.populations)
    host.tell(names, Start(populations=rows, data_endpoint=data, horizon=windows))
    host.expect(Done, names, deadline)
