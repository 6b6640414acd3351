"""A client of ``cosim serve``, for scripts and notebooks.

::

    with Client("http://127.0.0.1:8642/?token=...") as client:
        run = client.create(Path("examples/quickstart.yaml").read_text())
        for event in client.events(run["id"]):
            print(event.kind, event.data)
        client.fetch(run["id"], Path("results"))

:class:`AsyncClient` has the same methods, as coroutines.
"""

from tvb_nest_cosim.cosim_core.client.asynchronous import AsyncClient
from tvb_nest_cosim.cosim_core.client.calls import FINAL, LiveEvent, ServerRefusal
from tvb_nest_cosim.cosim_core.client.sync import Client

__all__ = ["FINAL", "AsyncClient", "Client", "LiveEvent", "ServerRefusal"]
