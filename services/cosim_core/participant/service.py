"""Command line of a service: takes part in one run, or serves as an agent.

``python -P -m tvb_nest_cosim.nest_service worker --control ENDPOINT --run RUN --digest DIGEST``
takes part in one run (the same for ``tvb_service`` and ``translator``). A launcher starts it; the
orchestrator sends it the rest. ``... agent --orchestrator ENDPOINT`` starts workers for a distant
orchestrator, run after run; to be quick, it starts the next worker ahead, which imports and then
waits (``warm-worker``).

``COSIM_KEYS`` names the folder of keys that sockets beyond this host need, ``COSIM_ADVERTISE`` the
name by which other hosts reach this one; an agent touches the file ``COSIM_ALIVE`` as long as the
orchestrator calls it.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tvb_nest_cosim.cosim_core.errors import EXIT_FAILED, CosimError
from tvb_nest_cosim.cosim_core.model.plan import RunPlan
from tvb_nest_cosim.cosim_core.participant.link import Identity, Link
from tvb_nest_cosim.cosim_core.participant.translator_loop import Translation
from tvb_nest_cosim.cosim_core.participant.window_loop import Simulator
from tvb_nest_cosim.cosim_core.participant.work import (
    Work,
    run_simulator,
    run_translator,
    take_part,
)
from tvb_nest_cosim.cosim_core.processes.host import this_host
from tvb_nest_cosim.cosim_core.processes.mpi import mpi_rank
from tvb_nest_cosim.cosim_core.processes.warm_worker import Order, await_order, write_to
from tvb_nest_cosim.cosim_core.wire.keys import Keys, load_keys
from tvb_nest_cosim.cosim_core.wire.protocol import MODULES, Role
from tvb_nest_cosim.cosim_core.wire.zmq_transport import ZmqTransport

_logger = logging.getLogger(__name__)


def main(
    role: Role, make_simulator: Callable[[], Simulator], import_ahead: Callable[[], None]
) -> None:
    """Runs a simulator as a worker and exits.

    Args:
        role: ``nest`` or ``tvb``.
        make_simulator: Makes the simulator; may import what is slow to import.
        import_ahead: Imports what any run needs, in a worker that waits for its run.
    """
    _run_and_exit(role, partial(run_simulator, make_simulator), import_ahead)


def main_translator(make_translation: Callable[[RunPlan], Translation]) -> None:
    """Runs the translator as a worker and exits."""
    # Nothing is left to import ahead: naming the translation has imported it.
    _run_and_exit("translator", partial(run_translator, make_translation), lambda: None)


def _run_and_exit(role: Role, work: Work, import_ahead: Callable[[], None]) -> None:
    arguments = _arguments(role)
    if arguments.command == "agent":
        sys.exit(_serve_as_agent(role, arguments.orchestrator))
    # Ctrl-C in a terminal reaches every process of it; the orchestrator alone decides what ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    order = _order(arguments, import_ahead)
    if order is None:
        os._exit(0)
    rank = order.first_rank + mpi_rank(os.environ)
    identity = Identity(role, rank, order.run, order.digest)
    transport = ZmqTransport(keys_of(role, os.environ))
    code = take_part(Link(transport, order.control, identity), work)
    transport.close()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    if code:
        # MPI_Finalize, which NEST runs at a normal exit, waits for ranks that may never come.
        os._exit(code)
    sys.exit(0)


def _order(arguments: argparse.Namespace, import_ahead: Callable[[], None]) -> Order | None:
    """Takes the order from the command line, or waits for it; None if there will be none."""
    if arguments.command == "worker":
        return Order(
            control=arguments.control,
            run=arguments.run,
            digest=arguments.digest,
            first_rank=arguments.first_rank,
        )
    import_ahead()
    order = await_order(sys.stdin)
    if order is not None and order.output is not None:
        write_to(order.output)
    return order


def keys_of(name: str, environment: Mapping[str, str]) -> Keys | None:
    """Loads the keys that the environment names, if any.

    Raises:
        SecurityError: If they are named but cannot be used.
    """
    folder = environment.get("COSIM_KEYS")
    return load_keys(Path(folder), name) if folder else None


def _serve_as_agent(role: Role, orchestrator: str) -> int:
    """Serves as an agent until SIGTERM or SIGINT."""
    # A worker does not need it.
    from tvb_nest_cosim.cosim_core.processes.agent import Agent

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        keys = keys_of(role, os.environ)
        alive = Path(file) if (file := os.environ.get("COSIM_ALIVE")) else None
        Agent(lambda: ZmqTransport(keys), orchestrator, this_host(role), alive).serve(stop)
    except CosimError as error:
        _logger.error("%s", error)
        return EXIT_FAILED
    return 0


def _arguments(role: Role) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"python -m {MODULES[role]}", description=f"The {role} side of a co-simulation."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    worker = commands.add_parser("worker", help="take part in one run; started by a launcher")
    worker.add_argument("--control", required=True, help="endpoint of the orchestrator")
    worker.add_argument("--run", required=True, help="identity of the run")
    worker.add_argument("--digest", required=True, help="digest of the experiment")
    commands.add_parser("warm-worker", help="import, then wait for a run on standard input")
    worker.add_argument(
        "--first-rank", type=int, default=0, help="rank of the first process of its MPI world"
    )
    agent = commands.add_parser("agent", help="start workers for an orchestrator, run after run")
    agent.add_argument("--orchestrator", required=True, help="endpoint, tcp://HOST:PORT")
    return parser.parse_args()
