"""Claimed and proxied requests take turns on one connection, however their bytes arrive."""

import asyncio
import json
import random

import pytest

from rest_facade.transcoder import Calls
from tests.rest.raw import exchange, one_answer, parse
from tests.support.waiting import PATIENCE

CLAIMED = b"POST /api/v1/keys HTTP/1.1\r\nHost: x\r\nX-Ingate-Key: sk-ingate-x\r\nContent-Type: application/json\r\n"
PROXIED = b"POST /v1/x HTTP/1.1\r\nHost: x\r\n"
LIMIT = 100_000
BODY_TIME = 1.0


@pytest.fixture
async def port(core, serve):
    """A facade whose proxy answers with the body that it got."""

    async def echo(_request_id, _head, body, sink):
        await sink.respond(200, [(b"content-type", b"text/plain")], await body.read(LIMIT, BODY_TIME))

    facade = await serve(proxy=echo, calls=Calls(max_body=LIMIT))
    return facade.port


def sized(head, body):
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunked(head, *pieces):
    framed = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\nTrailer: x\r\n\r\n"


def turns():
    """Returns requests and the bodies of the answers to the proxied ones, None for the claimed ones."""
    return [
        (sized(PROXIED, b"one"), b"one"),
        (sized(CLAIMED, b'{"name":"a"}'), None),
        (chunked(PROXIED, b"t", b"wo", b"x" * 5000), b"two" + b"x" * 5000),
        (chunked(CLAIMED, b'{"name"', b':"b"}'), None),
        (sized(PROXIED, b""), b""),
        (b"\r\n" + PROXIED + b"\r\n", b""),
        (chunked(PROXIED, b"end\r\n0\r\n\r\n"), b"end\r\n0\r\n\r\n"),
        (sized(CLAIMED, b"{}"), None),
    ]


async def answers(reader, expected):
    for body in expected:
        status, _, found = await one_answer(reader)
        if body is None:
            assert status == 201
        else:
            assert (status, found) == (200, body)


@pytest.mark.parametrize("seed", range(12))
async def test_every_split(port, seed):
    """Requests sent one after another, cut at random places or not at all, are answered in order."""
    dice = random.Random(seed)
    chosen = turns()
    dice.shuffle(chosen)
    stream = b"".join(request for request, _ in chosen)
    cuts = sorted(dice.randrange(len(stream)) for _ in range(0 if seed == 0 else seed * 8))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def send():
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            writer.write(stream[start:end])
            await writer.drain()
            await asyncio.sleep(0)

    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(send(), answers(reader, [body for _, body in chosen]))
    writer.close()


async def test_byte_by_byte(port):
    """The smallest pieces there are."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request, body in (turns()[2], turns()[3]):
        for index in range(min(len(request), 400)):
            writer.write(request[index : index + 1])
            await asyncio.sleep(0)
        writer.write(request[400:])
        await answers(reader, [body])
    writer.close()


@pytest.mark.parametrize("head", [PROXIED, CLAIMED])
async def test_what_comes_behind_is_bounded(port, head):
    """A caller who sends ever more requests without reading the answers fills no memory here."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.transport.set_write_buffer_limits(0)
    # Answers of this size fill what the sockets hold long before so many requests are through.
    body = b'{"name":"%b"}' % (b"x" * 50_000)
    for _ in range(400):
        writer.write(sized(head, body))
        try:
            await asyncio.wait_for(writer.drain(), 0.5)
        except TimeoutError:
            break
    else:
        assert head is CLAIMED
    writer.transport.abort()
    reader.feed_eof()


@pytest.mark.parametrize(
    ("request_bytes", "status", "word"),
    [
        (PROXIED + b"Content-Length: 100001\r\n\r\n", 413, "larger"),
        (chunked(PROXIED, b"x" * 60_000, b"x" * 60_000).removesuffix(b"0\r\nTrailer: x\r\n\r\n"), 413, "larger"),
        (PROXIED + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n", 400, "framed"),
        (PROXIED + b"Content-Length: 10\r\n\r\nabc", 408, "in time"),
    ],
)
async def test_bodies_that_end_the_connection(port, request_bytes, status, word):
    """A body that cannot be read to its end is refused, and what follows it is not taken for a request."""
    answer = parse(await exchange(port, request_bytes))

    assert answer[0] == status
    assert word in json.loads(answer[2])["message"]
    assert answer[1]["connection"] == "close"


async def test_a_body_is_asked_for_when_it_is_wanted(port):
    """`Expect: 100-continue` is answered for proxied requests too."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(PROXIED + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"ok")
    await answers(reader, [b"ok"])
    writer.write(PROXIED + b"Expect: 100-continue\r\nContent-Length: 100001\r\n\r\n")
    assert (await one_answer(reader))[0] == 413
    writer.close()


async def test_a_proxy_that_refuses_unread(serve):
    """An answer that comes before the body arrives whole, and ends the connection."""
    from ingate.errors import Unauthenticated

    async def refuse(_request_id, _head, _body, _sink):
        raise Unauthenticated("no key")

    facade = await serve(proxy=refuse)
    reader, writer = await asyncio.open_connection("127.0.0.1", facade.port)
    writer.write(PROXIED + b"Content-Length: 10000000\r\n\r\n")
    for _ in range(50):
        writer.write(b"x" * 10_000)
    status, headers, _ = await one_answer(reader)
    assert (status, headers["connection"]) == (401, "close")
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 20) == b""
    writer.close()

    reader, writer = await asyncio.open_connection("127.0.0.1", facade.port)
    for _ in range(2):
        writer.write(sized(PROXIED, b"x"))
        status, headers, _ = await one_answer(reader)
        assert (status, "connection" in headers) == (401, False)
    writer.close()


async def test_old_clients(port):
    """HTTP/1.0 is answered and closed, or kept open where it asks for that."""
    old = b"POST /v1/x HTTP/1.0\r\n"
    assert parse(await exchange(port, sized(old, b"x")))[2] == b"x"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        writer.write(sized(old + b"Connection: keep-alive\r\n", b"x"))
        status, headers, body = await one_answer(reader)
        assert (status, headers["connection"], body) == (200, "keep-alive", b"x")
    writer.close()
