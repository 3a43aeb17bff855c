"""Ordinary callers: `python -m bench.ordinary_caller HOST:PORT KEY CALLERS SECONDS`.

Each asks a short question on a connection of its own, a few times a second. Prints one line of JSON: the seconds that
each answer took, and how many were not 200.
"""

import asyncio
import json
import sys
import time
from typing import cast

import httptools
import uvloop

from bench.big import head, request

_EVERY_SECONDS = 0.1


class Caller(asyncio.Protocol):
    """One connection, with one question at a time."""

    def __init__(self, question: bytes) -> None:
        self._question = question
        self._done = asyncio.get_running_loop().create_future()
        self.latencies: list[float] = []
        self.failed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are no subclass

    async def ask(self) -> None:
        """Asks once and returns when the answer is there."""
        self._parser = httptools.HttpResponseParser(self)
        self._done = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        self._transport.write(self._question)
        await self._done
        self.latencies.append(time.perf_counter() - began)
        self.failed += self._parser.get_status_code() != 200

    def data_received(self, data: bytes) -> None:
        """Hands bytes to the parser."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Ends the call."""
        self._done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fails the call under way."""
        if not self._done.done():
            self._done.set_exception(exc or ConnectionResetError("closed before the answer"))


async def run(address: str, key: str, callers: int, seconds: float) -> dict[str, object]:
    """Returns what is printed."""
    host, _, port = address.partition(":")
    asked = request("gpt-4o-mini")
    question = head(address, key, len(asked)) + asked
    loop = asyncio.get_running_loop()
    all_of_them = [(await loop.create_connection(lambda: Caller(question), host, int(port)))[1] for _ in range(callers)]
    until = loop.time() + seconds

    async def keep_asking(caller: Caller, delay: float) -> None:
        await asyncio.sleep(delay)
        while loop.time() < until:
            await caller.ask()
            await asyncio.sleep(_EVERY_SECONDS)

    await asyncio.gather(*(keep_asking(it, _EVERY_SECONDS * place / callers) for place, it in enumerate(all_of_them)))
    latencies = [latency for caller in all_of_them for latency in caller.latencies]
    return {"latencies": latencies, "failed": sum(caller.failed for caller in all_of_them)}


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
    print(json.dumps(found))
