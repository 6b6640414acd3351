"""``python -m benchmarks.clients ADDRESS COUNT ASKS``: watches a run as many clients at once.

Says when it is ready, reads the identity of the run, and prints how many events of data all of them
have seen together. In use clients are other computers; so that these cost little beside what they
make the server do, they count events and unpack nothing.
"""

from __future__ import annotations

import asyncio
import sys

import httpx

from tvb_nest_cosim.cosim_core.client import PREFIX, options

ASK_EVERY_S = 2.0
POINTS = 500
_DATA = b"event: data\n"


async def _watch(http: httpx.AsyncClient, run: str, asks: str) -> int:
    seen, rest = 0, b""
    asking = asyncio.create_task(_ask(http, run, asks))
    try:
        async with http.stream("GET", f"{PREFIX}/runs/{run}/events", timeout=None) as response:
            async for piece in response.aiter_raw():
                text = rest + piece
                seen += text.count(_DATA)
                rest = text[-len(_DATA) + 1 :]
    finally:
        asking.cancel()
    return seen


async def _ask(http: httpx.AsyncClient, run: str, asks: str) -> None:
    series = f"{PREFIX}/runs/{run}/series?kind=rates&max_points={POINTS}"
    path = series if asks == "series" else f"{PREFIX}/runs"
    while True:
        await asyncio.sleep(ASK_EVERY_S)
        await http.get(path)


async def _all(address: str, run: str, count: int, asks: str) -> int:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(**options(address, None), limits=limits) as http:
        return sum(await asyncio.gather(*(_watch(http, run, asks) for _ in range(count))))


if __name__ == "__main__":
    address, count, asks = sys.argv[1:]
    print("ready", flush=True)
    run = sys.stdin.readline().strip()
    print(asyncio.run(_all(address, run, int(count), asks)))
