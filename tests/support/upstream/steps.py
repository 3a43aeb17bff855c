"""What an upstream does to a connection, as small steps put together into scenarios. Knows no vendors.

A step is an async function of the connection. A scenario is steps and the moment they start. `up.enqueue` and
`up.script` take both, any number, one after the other:

    up.enqueue(head(200, SSE), send(chunk(event("a"))), pause(go), send(chunk(event("b"))), reset())
"""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum

from tests.support.upstream.responses import LAST_CHUNK, chunk, encode_content, encode_head, event
from tests.support.waiting import eventually

SSE = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
"""Headers of an event stream; `head` and `slow_head` add the framing."""

JSON = (("content-type", "application/json"),)

Step = Callable[..., Awaitable[None]]


class Phase(IntEnum):
    """When a scenario starts: at once, after the request's head, after its body."""

    ACCEPT = 0
    HEAD = 1
    REQUEST = 2


@dataclass(frozen=True, slots=True)
class Scenario:
    """Steps in order, and when the first one starts."""

    steps: tuple[Step, ...]
    phase: Phase = Phase.REQUEST


def compose(*parts):
    """Returns one scenario of steps and scenarios; it starts as early as its earliest part."""
    steps, phase = [], Phase.REQUEST
    for part in parts:
        if isinstance(part, Scenario):
            steps += part.steps
            phase = min(phase, part.phase)
        else:
            steps.append(part)
    return Scenario(tuple(steps), phase)


def send(*pieces, every=0.0):
    """Sends bytes as they are, each piece in a write of its own, `every` seconds between them.

    Other tasks run between the writes even when that is 0; None writes on at once.
    Waits while the client does not read and the socket's buffers are full.
    """

    async def run(connection):
        for number, piece in enumerate(pieces):
            if number and every is not None:
                await asyncio.sleep(every)
            await connection.send(piece)

    return run


def pause(gate):
    """Waits for an asyncio.Event of the test."""

    async def run(_connection):
        await gate.wait()

    return run


def delay(seconds):
    """Waits that long; None does not wait at all."""

    async def run(_connection):
        if seconds is not None:
            await asyncio.sleep(seconds)

    return run


def stall():
    """Does nothing more, ever: until the client leaves or the server closes."""
    return _stall


def reset():
    """Breaks the connection with a RST; what was sent before has left for the client."""
    return _reset


def close():
    """Closes the connection in order (FIN) once everything sent has left."""
    return _close


def never_ends(piece, every=0.0):
    """Sends the same bytes for ever, `every` seconds between writes, at the client's pace."""

    async def run(connection):
        while True:
            await connection.send(piece)
            await asyncio.sleep(every)

    return run


def garbage(size=256, seed=0):
    """Sends random bytes, the same for the same seed, and closes."""
    return compose(send(random.Random(seed).randbytes(size)), close())


def head(status=200, headers=(), framing="chunked", reason=None):
    """Sends a head alone: the body follows in steps of its own (`send(chunk(…))`, `end()`)."""
    return send(encode_head(status, [*headers, *_framing_headers(framing, None)], reason))


def end():
    """Ends a chunked body."""
    return send(LAST_CHUNK)


def respond(
    status=200, headers=(), body=b"", *, framing="length", coding=None, cut=None, cut_wire=None, every=0.0, reason=None
):
    """Sends a whole response.

    body: bytes, or the pieces they are sent in. framing: "length", "chunked" (one frame a piece) or "close"
    (delimited by the end of the connection). coding: gzip, deflate, br, zstd, flushed after each piece. cut: a function
    that cuts the encoded body into other pieces; cut_wire: the same for everything on the wire, head and framing too.
    every: as in `send`.
    """
    pieces = [body] if isinstance(body, bytes) else list(body)
    if coding is not None:
        pieces = encode_content(coding, pieces)
        headers = [*headers, ("content-encoding", coding)]
    if cut is not None:
        pieces = cut(b"".join(pieces))
    pieces = [piece for piece in pieces if piece]
    first = encode_head(status, [*headers, *_framing_headers(framing, sum(map(len, pieces)))], reason)
    if framing == "chunked":
        pieces = [*map(chunk, pieces), LAST_CHUNK]
    writes = [first, *pieces] if len(pieces) != 1 else [first + pieces[0]]
    if cut_wire is not None:
        writes = cut_wire(b"".join(writes))
    sending = send(*writes, every=every)
    return compose(sending, close()) if framing == "close" else compose(sending)


def status(code, headers=JSON, body=b"{}", **options):
    """A response with a length; options are those of `respond`."""
    return respond(code, headers, body, **options)


def sse(events, headers=SSE, newline=b"\n", **options):
    """A complete event stream: each event is framed bytes, or data (text or JSON), or a pair of name and data.

    Chunked, one frame an event, unless the options of `respond` say otherwise.
    """
    return respond(200, headers, [_framed(item, newline) for item in events], **{"framing": "chunked", **options})


def slow_head(code=200, headers=JSON, body=b"{}", every=0.01):
    """A response whose head comes byte by byte; the body follows at once."""
    first = encode_head(code, [*headers, *_framing_headers("length", len(body))])
    return compose(send(*(first[place : place + 1] for place in range(len(first))), every=every), send(body))


def truncated(headers=JSON, body=b'{"id": "cut', missing=1000):
    """A response whose content-length promises `missing` bytes more than come before the close."""
    return compose(send(encode_head(200, [*headers, *_framing_headers("length", len(body) + missing)]), body), close())


def truncated_chunk(data, missing=1):
    """Sends a chunk that ends `missing` bytes short of its size, and closes. Stands after `head`."""
    return compose(send(b"%x\r\n%s" % (len(data) + missing, data)), close())


def early_413(body=b'{"error": {"message": "too large"}}', *, then_close=False):
    """Answers 413 as soon as the head is in.

    Then reads the body to its end, or closes with the body unread, which the client may see as a reset.
    """
    steps = compose(status(413, body=body), *([close()] if then_close else []))
    return Scenario(steps.steps, Phase.HEAD)


def accept_only():
    """Accepts the connection and never reads from it."""
    return Scenario((_accept_only,), Phase.ACCEPT)


def on_accept(*parts):
    """Starts as soon as the connection is there, before any request, which stays unread."""
    return Scenario(compose(*parts).steps, Phase.ACCEPT)


async def _stall(connection):
    await connection.gone()


async def _reset(connection):
    connection.reset()
    await connection.gone()


async def _close(connection):
    connection.close()
    await connection.gone()


async def _accept_only(connection):
    connection.stop_reading()
    # Nothing is read, so no event tells that the client has left: the kernel is asked.
    await eventually(lambda: not connection.established(), timeout=math.inf)
    connection.close()
    await connection.gone()


def _framing_headers(framing, length):
    if framing == "length":
        return [("content-length", str(length))]
    return [("transfer-encoding", "chunked")] if framing == "chunked" else [("connection", "close")]


def _framed(item, newline):
    if isinstance(item, bytes):
        return item
    name, data = item if isinstance(item, tuple) else (None, item)
    return event(data, name, newline)
