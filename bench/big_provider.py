"""A provider for the `memory` case: `python -m bench.big_provider PORT`. It answers by model, as `bench.big` says.

It reads all of a request, keeps none of it, and sends an answer as fast as it is taken.
"""

import asyncio
import re
import sys
from collections.abc import Iterator
from typing import cast

import uvloop

from bench.big import DOWNLOAD, EVENT, SIZES, STREAM, WHOLE, answer

_MODEL = re.compile(rb'"model":"([^"]*)"')
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_PIECE = 64 * 1024
_EVENTS = EVENT * (_PIECE // len(EVENT))
_CHUNK = b"%x\r\n%b\r\n" % (len(_EVENTS), _EVENTS)
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _whole(size: int = 0) -> bytes:
    body = answer(size)
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


_BRIEF = _whole()
_LARGE = {name.encode(): memoryview(_whole(SIZES[name])) for name in (WHOLE, DOWNLOAD)}


class Answers(asyncio.Protocol):
    """One connection, one request at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Waits for a request."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are no subclass
        self._head = b""
        self._left = -1  # bytes of the body that are to come; there is no head while it is negative
        self._pieces: Iterator[bytes | memoryview] = iter(())
        self._paused = False

    def data_received(self, data: bytes) -> None:
        """Answers as soon as a request is complete."""
        if self._left < 0:
            self._head += data
            end = self._head.find(b"\r\n\r\n") + 4
            if end < 4:
                return
            stated = _LENGTH.search(self._head, 0, end)
            self._left = int(stated[1]) - (len(self._head) - end) if stated else 0
        else:
            self._left -= len(data)
            if len(self._head) < _PIECE:
                self._head += data[:_PIECE]
        if self._left <= 0:
            found = _MODEL.search(self._head)
            self._head, self._left = b"", -1
            self._pieces = _answer(found[1] if found else b"")
            self._send()

    def _send(self) -> None:
        while not self._paused and (piece := next(self._pieces, None)) is not None:
            self._transport.write(piece)

    def pause_writing(self) -> None:
        """The gateway reads no more for now."""
        self._paused = True

    def resume_writing(self) -> None:
        """The gateway reads on."""
        self._paused = False
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        """Sends no more."""
        self._paused = True


def _answer(model: bytes) -> Iterator[bytes | memoryview]:
    if model == STREAM.encode():
        yield _STREAM_HEAD
        while True:
            yield _CHUNK
    whole = _LARGE.get(model)
    if whole is None:
        yield _BRIEF
    else:
        yield from (whole[at : at + _PIECE] for at in range(0, len(whole), _PIECE))


async def serve(port: int) -> None:
    """Serves until it is killed."""
    server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))
