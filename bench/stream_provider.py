"""A provider that streams: `python -m bench.stream_provider PORT`. It answers every request with the same paced events.

Reads just enough of HTTP to find where a request ends; a caller sends its next one after the answer.
"""

import asyncio
import sys
from typing import cast

import uvloop

from bench.events import EVENTS, INTERVAL

_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"x-request-id: req_8f0c6a52d1b94e37\r\ntransfer-encoding: chunked\r\n\r\n"
)
_CHUNKS = tuple(b"%x\r\n%b\r\n" % (len(event), event) for event in EVENTS)
_PIECES = (_HEAD + _CHUNKS[0], *_CHUNKS[1:-1], _CHUNKS[-1] + b"0\r\n\r\n")


class Answers(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Waits for a request."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are no subclass
        self._received = b""

    def data_received(self, data: bytes) -> None:
        """Answers as soon as a request is complete."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if end and len(body) >= length:
            self._received = b""
            self._send(0, asyncio.get_running_loop().time())

    def _send(self, number: int, began: float) -> None:
        """Sends a piece, and the next when it is due: set at once, timers pass one another on a busy machine."""
        self._transport.write(_PIECES[number])
        number += 1
        if number < len(_PIECES):
            asyncio.get_running_loop().call_at(began + number * INTERVAL, self._send, number, began)


async def serve(port: int) -> None:
    """Serves until it is killed."""
    server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))
