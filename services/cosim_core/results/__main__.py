"""Makes the result files of one run, as told on standard input; see ``processes/collector.py``."""

from __future__ import annotations

import os
import signal
import sys
import traceback

from tvb_nest_cosim.cosim_core.errors import EXIT_FAILED, CosimError
from tvb_nest_cosim.cosim_core.plugins import cause_of
from tvb_nest_cosim.cosim_core.processes.collector import Answer, Order
from tvb_nest_cosim.cosim_core.results.collect import collect


def main() -> None:
    """Waits for the order, carries it out and answers; ends with the process that started it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)  # it is for the one who waits for the results
    line = sys.stdin.readline()
    if not line:
        return
    order = Order.model_validate_json(line)
    try:
        collected = collect(order.root, only=order.only, partial=order.partial)
        answer = Answer(collected=collected)
    except CosimError as error:
        answer = Answer(error=str(error))
    # The outermost frame of the process: no memory, or a defect.
    except Exception as error:
        traceback.print_exc()
        answer = Answer(error=f"result files cannot be made: {cause_of(error)}")
    print(answer.model_dump_json(), flush=True)
    if answer.error:
        os._exit(EXIT_FAILED)  # HDF5, which could not write, would try again at the end


if __name__ == "__main__":
    main()
