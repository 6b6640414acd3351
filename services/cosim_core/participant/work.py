"""Work of one participant in one run, from the greeting to the last message."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import (
    EXIT_BAD_INPUT,
    EXIT_DESERTED,
    EXIT_FAILED,
    CosimError,
    ExperimentError,
    ParticipantLost,
    SimulationError,
    StopRequested,
)
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.participant.link import Link
from tvb_nest_cosim.cosim_core.participant.translator_loop import Translation, run_relay
from tvb_nest_cosim.cosim_core.participant.window_loop import Simulator, run_windows
from tvb_nest_cosim.cosim_core.processes.host import advertised
from tvb_nest_cosim.cosim_core.run_dir.journal import JournalOwner
from tvb_nest_cosim.cosim_core.run_dir.layout import RunLayout
from tvb_nest_cosim.cosim_core.run_dir.logs import log_to
from tvb_nest_cosim.cosim_core.run_dir.recorder import Recorder

_logger = logging.getLogger(__name__)

GREETING_TIMEOUT_S = 60.0
"""How long a worker waits for the plan before it concludes that nobody is there."""

Work = Callable[[Link, RunPlan, Recorder, str], None]
"""Builds a side and carries it through the run; takes the data endpoint last."""


def run_simulator(
    make_simulator: Callable[[], Simulator],
    link: Link,
    plan: RunPlan,
    recorder: Recorder,
    data_endpoint: str,
) -> None:
    """Builds a simulator and carries it through the run."""
    simulator = make_simulator()
    try:
        built = simulator.build(plan, link.identity.rank, recorder.record)
        link.ready(built, None)
        start = link.await_start()
        run_windows(simulator, link, plan, recorder, start)
    finally:
        simulator.close()


def run_translator(
    make_translation: Callable[[RunPlan], Translation],
    link: Link,
    plan: RunPlan,
    recorder: Recorder,
    data_endpoint: str,
) -> None:
    """Binds the data plane, builds the translation and carries it through the run."""
    endpoint = advertised(link.bind_data(data_endpoint))
    translation = make_translation(plan)
    built = translation.build(recorder.record)
    link.ready(built, endpoint)
    start = link.await_start()
    run_relay(translation, link, plan, recorder, start)


def take_part(link: Link, work: Work) -> int:
    """Carries a participant through a run; reports to the orchestrator what goes wrong.

    Returns:
        The exit code of this process.
    """
    identity = link.identity
    try:
        plan, data_endpoint = link.greet(GREETING_TIMEOUT_S)
        layout = RunLayout(Path(plan.run_dir))
        log_to(layout.log(identity.role, identity.rank), identity.name, identity.run)
        work_and_record(link, plan, data_endpoint, work)
    except StopRequested as stop:
        _logger.info("ended by the orchestrator: %s", stop)
        return EXIT_FAILED
    except ParticipantLost as lost:
        _logger.error("%s", lost)
        # What the launcher keeps of the standard streams is shown to the user.
        print(lost, file=sys.stderr)
        return EXIT_DESERTED
    except CosimError as error:
        _logger.exception("%s", error)
        return _report_error(link, error)
    except Exception as error:
        # The outermost frame of the process: a defect, or a user's code that nobody wrapped.
        _logger.exception("unexpected error")
        cause = f"unexpected {type(error).__name__} in {identity.name}: {error}"
        detail = traceback.format_exc()
        return _send(lambda: link.fail(cause, detail), EXIT_FAILED)
    return _send(link.bye, 0)


def work_and_record(link: Link, plan: RunPlan, data_endpoint: str, work: Work) -> None:
    """Does the work with a recorder at hand, closes it, and only then says done."""
    who = link.identity
    owner = JournalOwner(plan.run, who.role, who.rank)
    recorder = Recorder(RunLayout(Path(plan.run_dir)), owner)
    link.compute_s = lambda: recorder.compute_s
    link.wait_s = lambda: recorder.wait_s
    link.phase = recorder.phase
    try:
        work(link, plan, recorder, data_endpoint)
    finally:
        recorder.close()
    link.done()


def _report_error(link: Link, error: CosimError) -> int:
    """Says why this participant cannot go on: bad input before the first window, else a failure."""
    if isinstance(error, ExperimentError) and link.may_refuse:
        faults = error.faults
        return _send(lambda: link.refuse(faults), EXIT_BAD_INPUT)
    cause = str(error)
    detail = error.detail if isinstance(error, SimulationError) else ""
    return _send(lambda: link.fail(cause, detail), EXIT_FAILED)


def _send(send: Callable[[], None], code: int) -> int:
    try:
        send()
    except ParticipantLost as lost:
        _logger.error("%s", lost)
        return EXIT_FAILED
    return code
