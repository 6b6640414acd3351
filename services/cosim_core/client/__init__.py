"""A client of ``cosim serve``, for scripts and notebooks.

::

    with Client("http://127.0.0.1:8642/?token=...") as client:
        run = client.create(Path("examples/quickstart.yaml").read_text())
        for event in client.events(run.id):
            print(event.kind, event.data)
        client.fetch(run.id, Path("results"))
"""

from tvb_nest_cosim.cosim_core.client.client import PREFIX, Client, ServerRefusal, options
from tvb_nest_cosim.cosim_core.client.events import FINAL, EventParser, LiveEvent
from tvb_nest_cosim.cosim_core.client.responses import RunAnswer, RunPage, Verdict

__all__ = [
    "FINAL",
    "PREFIX",
    "Client",
    "EventParser",
    "LiveEvent",
    "RunAnswer",
    "RunPage",
    "ServerRefusal",
    "Verdict",
    "options",
]
