"""Callers that want more than there is: `python -m bench.crowds HOST:PORT SECONDS KEYS`, a file with a key a line.

Strangers who send for ever, keys that send large bodies, and callers who do not read their answers. Whoever is cut off
begins anew. Prints one line of JSON: how many answers each crowd got, by status.
"""

import asyncio
import json
import socket
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import cast

import uvloop

from bench.big import LARGE_ANSWERS, UPLOAD_BYTES, head, request

STRANGERS = 100
SENDERS = 100
NON_READERS = 300
_AGAIN_SECONDS = 0.1
_PIECE = 256 * 1024
_RECEIVED = 4096
"""Bytes that the kernel keeps for a caller who does not read: what it keeps more is not the gateway's to bound."""

_POST = "POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\n"
_JSON = "Content-Type: application/json\r\n"
_STRANGE_KEY = "X-Ingate-Key: ig_" + "0" * 40 + "\r\n"
_BLANKS = bytes(_PIECE).replace(b"\0", b" ")
_CHUNK = b"%x\r\n%b\r\n" % (len(_BLANKS), _BLANKS)
_STRANGE: tuple[tuple[bytes, bytes], ...] = (
    (f"{_POST}{_JSON}Transfer-Encoding: chunked\r\n\r\n".encode(), _CHUNK),
    (f"{_POST}{_STRANGE_KEY}{_JSON}Transfer-Encoding: chunked\r\n\r\n".encode(), _CHUNK),
    (
        f"POST /api/v1/auth/login HTTP/1.1\r\nHost: gateway\r\n{_JSON}Content-Length: 999999999\r\n\r\n".encode(),
        _BLANKS,
    ),
    (f"{_POST}X-Filler: ".encode(), _BLANKS),
)
"""Heads of strangers, and what they send after it for ever: at the doors of proxy and management, and a head itself."""


class Sender(asyncio.Protocol):
    """One connection of somebody who sends a head and then pieces, as fast as they are taken, and reads a status."""

    def __init__(self, first: bytes, following: memoryview, *, ever: bool, reads: bool = True) -> None:
        self._first = first
        self._following = following
        self._left = following
        self._ever = ever
        self._reads = reads
        self._paused = False
        self.ended = asyncio.get_running_loop().create_future()
        self.status = "cut off"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins to send."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are no subclass
        self._transport.write(self._first)
        self._send()

    def _send(self) -> None:
        while not self._paused and self._left and not self._transport.is_closing():
            self._transport.write(self._left[:_PIECE])
            self._left = self._left[_PIECE:] or self._following[: len(self._following) * self._ever]

    def pause_writing(self) -> None:
        """The gateway takes no more for now."""
        self._paused = True

    def resume_writing(self) -> None:
        """The gateway takes more. Later, for else one connection that is read quickly would keep all others waiting."""
        self._paused = False
        asyncio.get_running_loop().call_soon(self._send)

    def data_received(self, data: bytes) -> None:
        """Notes the status, and reads no more or no longer than that."""
        self.status = data[9:12].decode("latin-1")
        if self._reads or self.status != "200":
            self._transport.abort()
        else:
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        """Ends the call."""
        self._left = self._following[:0]
        if not self.ended.done():
            self.ended.set_result(None)


async def _keep_calling(address: str, make: Callable[[], Sender], seen: Counter[str], *, window: int | None) -> None:
    host, _, port = address.partition(":")
    loop = asyncio.get_running_loop()
    while True:
        sock = socket.socket()
        sock.setblocking(False)
        if window is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        caller = make()
        try:
            await loop.sock_connect(sock, (host, int(port)))
            await loop.create_connection(lambda caller=caller: caller, sock=sock)
            await caller.ended
        except OSError:
            sock.close()
        finally:
            seen[caller.status] += 1
        await asyncio.sleep(_AGAIN_SECONDS)


async def run(address: str, seconds: float, keys: list[str]) -> dict[str, dict[str, int]]:
    """Returns what is printed."""
    upload = request("gpt-4o-mini", "Tick. " * (UPLOAD_BYTES // 6))
    questions = [request(model) for model in LARGE_ANSWERS]
    endless = [(first, memoryview(following)) for first, following in _STRANGE]
    large, nothing = memoryview(upload), memoryview(b"")
    crowds: dict[str, Counter[str]] = {"strangers": Counter(), "senders": Counter(), "non-readers": Counter()}
    calls = []

    def call(crowd: str, make: Callable[[], Sender], window: int | None = None) -> None:
        calls.append(asyncio.create_task(_keep_calling(address, make, crowds[crowd], window=window)))

    for number in range(STRANGERS):
        first, following = endless[number % len(endless)]
        call("strangers", lambda first=first, following=following: Sender(first, following, ever=True))
    for number in range(SENDERS):
        first = head(address, keys[number % len(keys)], len(upload))
        call("senders", lambda first=first: Sender(first, large, ever=False))
    for number in range(NON_READERS):
        asked = questions[number % len(questions)]
        first = head(address, keys[number % len(keys)], len(asked)) + asked
        call("non-readers", lambda first=first: Sender(first, nothing, ever=False, reads=False), _RECEIVED)
    await asyncio.sleep(seconds)
    for task in calls:
        task.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    return {name: dict(seen.most_common()) for name, seen in crowds.items()}


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(run(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]).read_text().split()))
    print(json.dumps(found))
