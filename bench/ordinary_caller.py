"""Ordinary callers: `python -m bench.ordinary_caller HOST:PORT KEY CALLERS SECONDS`.

Each asks a short question on a connection of its own, a few times a second. Prints one line of JSON: the seconds that
each answer took, and how many answers there were by status, of those who got none by what happened.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from typing import cast

import httptools
import uvloop

from bench.big import head, request

_EVERY_SECONDS = 0.1


class Caller(asyncio.Protocol):
    """One connection, with one question at a time. `lost` once it is closed."""

    def __init__(self, question: bytes) -> None:
        self._question = question
        self._done = asyncio.get_running_loop().create_future()
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are no subclass

    async def ask(self) -> tuple[float, str]:
        """Asks once; returns the seconds until the answer was there, and its status."""
        self._parser = httptools.HttpResponseParser(self)
        self._done = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        self._transport.write(self._question)
        await self._done
        return time.perf_counter() - began, str(self._parser.get_status_code())

    def data_received(self, data: bytes) -> None:
        """Hands bytes to the parser."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Ends the call."""
        self._done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fails the call under way."""
        self.lost = True
        if not self._done.done():
            self._done.set_exception(exc or ConnectionResetError("closed before the answer"))


async def run(address: str, key: str, callers: int, seconds: float) -> dict[str, object]:
    """Returns what is printed."""
    host, _, port = address.partition(":")
    asked = request("gpt-4o-mini")
    question = head(address, key, len(asked)) + asked
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    latencies: list[float] = []
    statuses: Counter[str] = Counter()

    async def keep_asking(delay: float) -> None:
        caller: Caller | None = None
        await asyncio.sleep(delay)
        while loop.time() < until:
            try:
                if caller is None or caller.lost:
                    caller = (await loop.create_connection(lambda: Caller(question), host, int(port)))[1]
                latency, status = await caller.ask()
            except OSError as error:
                status = type(error).__name__
            else:
                latencies.append(latency)
            statuses[status] += 1
            await asyncio.sleep(_EVERY_SECONDS)

    await asyncio.gather(*(keep_asking(_EVERY_SECONDS * place / callers) for place in range(callers)))
    return {"latencies": latencies, "statuses": statuses}


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
    print(json.dumps(found))
