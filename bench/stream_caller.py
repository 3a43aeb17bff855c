"""A caller of streams: `python -m bench.stream_caller HOST:PORT KEY STREAMS SECONDS`.

Keeps so many streams open, spread evenly over time, each on a connection of its own. Prints one line of JSON: the
seconds from each request to the first byte of its body, and how many bodies were not what the provider sent.
"""

import asyncio
import json
import sys
import time
from typing import cast

import httptools
import uvloop

from bench.events import BODY, COUNT, INTERVAL, REQUEST


class Caller(asyncio.Protocol):
    """One connection, with one stream at a time."""

    def __init__(self, head: bytes) -> None:
        self._loop = asyncio.get_running_loop()
        self._request = head + REQUEST
        self.firsts: list[float] = []
        self.wrong = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast("asyncio.Transport", transport)

    async def call(self) -> None:
        """Sends one request and returns when its answer has ended."""
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._done = self._loop.create_future()
        self._sent = time.perf_counter()
        self._transport.write(self._request)
        await self._done
        if self._parser.get_status_code() != 200 or b"".join(self._body) != BODY:
            self.wrong += 1

    def data_received(self, data: bytes) -> None:
        """Hands bytes to the parser."""
        self._parser.feed_data(data)

    def on_body(self, piece: bytes) -> None:
        """Takes a piece of the body; the first one ends the wait that is measured."""
        if not self._body:
            self.firsts.append(time.perf_counter() - self._sent)
        self._body.append(piece)

    def on_message_complete(self) -> None:
        """Ends the call."""
        self._done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fails the call under way."""
        if not self._done.done():
            self._done.set_exception(exc or ConnectionResetError("closed in the middle of an answer"))


async def run(address: str, key: str, streams: int, seconds: float) -> dict[str, object]:
    """Returns what is printed."""
    host, _, port = address.partition(":")
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nAccept: text/event-stream\r\nUser-Agent: OpenAI/Python 2.8.0\r\n"
        f"Content-Length: {len(REQUEST)}\r\n\r\n"
    ).encode()
    loop = asyncio.get_running_loop()
    callers = [(await loop.create_connection(lambda: Caller(head), host, int(port)))[1] for _ in range(streams)]
    cycle = COUNT * INTERVAL
    until = loop.time() + seconds

    async def keep_calling(caller: Caller, delay: float) -> None:
        await asyncio.sleep(delay)
        while loop.time() < until:
            await caller.call()

    await asyncio.gather(*(keep_calling(it, cycle * place / streams) for place, it in enumerate(callers)))
    firsts = [first for caller in callers for first in caller.firsts]
    return {"firsts": firsts, "wrong": sum(caller.wrong for caller in callers)}


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
    print(json.dumps(found))
