"""Requests that nobody should send, as bytes to the proxy of a real process: each gets an answer or a clean close."""

import asyncio

import pytest
import pytest_asyncio

from tests.rest.laws import check
from tests.rest.raw import exchange, one_answer, parse
from tests.support.hostile import BODIES, BODY, CHAT, CHUNKED, NOT_FRAMED, NOT_HTTP, TARGETS
from tests.support.outside import ask, client, recorded, spawn
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 1024 * 1024


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def spawned(tmp_path_factory):
    with spawn(tmp_path_factory.mktemp("data")) as spawned:
        yield spawned
        async with client(spawned) as http:
            await ask(http)
        # The greeting shows the key twice, and no log line does.
        assert spawned.child.output.count(spawned.key) == 2
        assert "Traceback" not in spawned.child.output


@pytest.fixture
def port(spawned):
    return int(spawned.url.rpartition(":")[2])


@pytest.fixture
def request_bytes(spawned):
    """Returns a function that makes a request with the key; `framed` adds the content-length."""

    def make(line=CHAT, *lines, body=BODY, framed=True, key=True):
        lines = [line, b"Host: x", b"Connection: close", *lines]
        if key:
            lines.append(b"X-Ingate-Key: " + spawned.key.encode())
        if framed:
            lines.append(b"Content-Length: %d" % len(body))
        return b"\r\n".join(lines) + b"\r\n\r\n" + body

    return make


async def answered(port, data, expected):
    """Sends bytes and returns the answer's headers and body; it must be lawful, have that status, and be the last."""
    status, headers, body = parse(await exchange(port, data))
    assert status == expected, body
    if expected >= 400:
        check(status, headers, body)
    return headers, body


async def record(spawned, headers):
    """Returns the log entry of an answer, once it is there."""
    async with client(spawned) as http:
        return await eventually(lambda: entry(http, headers["x-ingate-request-id"]))


async def entry(http, request_id):
    return (await recorded(http)).get(request_id)


@pytest.mark.parametrize("lines", NOT_HTTP.values(), ids=NOT_HTTP)
async def test_what_is_not_http_is_refused(port, request_bytes, lines):
    """400 in JSON, and the connection ends, so that nothing behind it is taken for a request."""
    smuggled = b"GET /api/v1/keys HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = await exchange(port, request_bytes(*lines) + smuggled)
    status, headers, body = parse(answer)
    check(status, headers, body)
    assert status == 400
    assert answer.count(b"x-ingate-request-id") + answer.count(b"X-Ingate-Request-Id") == 1


@pytest.mark.parametrize("framing", NOT_FRAMED.values(), ids=NOT_FRAMED)
async def test_what_is_not_framed_is_refused(port, request_bytes, framing):
    """A body whose end is in doubt is never forwarded."""
    line, body = framing
    await answered(port, request_bytes(CHAT, line, body=body, framed=False), 400)


@pytest.mark.parametrize(
    "noise", [b"\x16\x03\x01\x02\x00\x01\x00\x01", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0" * 99]
)
async def test_other_protocols_are_refused(port, noise):
    """TLS, HTTP/2 and zeros are told that this is HTTP/1.1."""
    await answered(port, noise, 400)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
async def test_path_tricks_are_refused(port, request_bytes, target):
    """What a provider could read otherwise than the gateway goes to none."""
    await answered(port, request_bytes(b"POST %b HTTP/1.1" % target), 400)


async def test_an_absolute_target_goes_nowhere_else(port, spawned, request_bytes):
    """The host in it is not dialled: the path is what counts."""
    line = b"POST http://169.254.169.254/v1/chat/completions HTTP/1.1"
    headers, _ = await answered(port, request_bytes(line), 200)
    assert headers["x-ingate-served-by"] == "demo"
    assert (await record(spawned, headers))["path"] == "/v1/chat/completions"


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_body_that_cannot_be_read_is_refused_and_recorded(port, spawned, request_bytes, body):
    """400, with the reason in the answer and in the log."""
    headers, _ = await answered(port, request_bytes(body=body), 400)
    entry = await record(spawned, headers)
    assert (entry["status_code"], entry["error_code"]) == (400, "bad_request")


@pytest.mark.parametrize("stated", [b"text/plain", b"\xff;;;", b"application/json; charset=latin-1"])
async def test_the_content_type_is_the_providers_business(port, request_bytes, stated):
    """The proxy forwards whatever it says, as the providers read the body alone."""
    await answered(port, request_bytes(CHAT, b"Content-Type: " + stated), 200)


@pytest.mark.parametrize("place", [b"POST /v1/chat/completions?key=%b HTTP/1.1", b"POST /v1/%b HTTP/1.1"])
async def test_a_key_in_the_target_is_refused(port, spawned, request_bytes, place):
    """Where access logs would keep it, it is not accepted, with and without one in the header."""
    for key in (True, False):
        headers, body = await answered(port, request_bytes(place % spawned.key.encode(), key=key), 400)
        assert b"send yours in a header" in body
        assert spawned.key.encode() not in body + str(headers).encode()


async def test_large_heads_are_refused(port, request_bytes):
    """One header, ten thousand, or the target: each has its status."""
    await answered(port, request_bytes(CHAT, b"X-A: " + b"a" * 200_000), 431)
    await answered(port, request_bytes(CHAT, *(b"X-%d: a" % number for number in range(10_000))), 431)
    await answered(port, request_bytes(b"POST /v1/%b HTTP/1.1" % (b"a" * 20_000)), 414)


@pytest.mark.parametrize("announced", [True, False])
async def test_a_large_body_is_refused_unread(port, spawned, request_bytes, announced):
    """413 and a closed connection for 40 MiB, which are not kept; the refusal is on record."""
    before = spawned.child.rss_bytes()
    framing = b"Content-Length: %d" % (40 * MIB) if announced else CHUNKED
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request_bytes(CHAT, framing, body=b"", framed=False))
    piece = b"%x\r\n%b\r\n" % (MIB, b" " * MIB) if not announced else b" " * MIB
    try:
        for _ in range(40):
            writer.write(piece)
            await writer.drain()
    except ConnectionError:
        pass
    status, headers, body = await one_answer(reader)
    writer.close()
    check(status, headers, body)
    assert status == 413
    entry = await record(spawned, headers)
    assert (entry["status_code"], entry["error_code"]) == (413, "payload_too_large")
    # Up to the limit of 32 MiB is held, and given back.
    assert spawned.child.rss_bytes() - before < (20 if announced else 60) * MIB


async def test_a_body_that_breaks_off_is_recorded(port, spawned, request_bytes):
    """A caller who announces more than it sends and leaves is on record as gone, and nothing was forwarded."""
    async with client(spawned) as http:
        known = set(await recorded(http))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_bytes(CHAT, b"Content-Length: 1000", body=BODY, framed=False))
        writer.close()
        await writer.wait_closed()
        assert not await reader.read()
        [(_, left)] = await eventually(lambda: others(http, known))
    assert (left["status_code"], left["error_code"], left["served_by"]) == (499, "client_closed", "")


async def others(http, known):
    return [(request_id, found) for request_id, found in (await recorded(http)).items() if request_id not in known]


async def test_http_1_0_is_answered(port, request_bytes):
    """Without chunks, and with the end of the connection for the end of the body."""
    headers, body = await answered(port, request_bytes(CHAT.replace(b"1.1", b"1.0")), 200)
    assert "transfer-encoding" not in headers
    assert body.startswith(b'{"id"')


async def test_pipelined_requests_are_answered_in_order(port, request_bytes):
    """Each of three requests in one segment has its answer."""
    one = request_bytes().replace(b"Connection: close\r\n", b"")
    models = request_bytes(b"GET /v1/models HTTP/1.1", body=b"")
    answer = await exchange(port, one + one + models)
    assert answer.count(b"HTTP/1.1 200 ") == 3
    assert answer.index(b'"list"') > answer.rindex(b'"chat.completion"')


async def test_expectations(port, spawned, request_bytes):
    """100-continue is answered where the body is wanted, and not where it is too large."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    expect = b"Expect: 100-continue"
    writer.write(request_bytes(CHAT, expect, b"Content-Length: %d" % len(BODY), body=b"", framed=False))
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(BODY)
    assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()
    large = b"Content-Length: %d" % (40 * MIB)
    await answered(port, request_bytes(CHAT, expect, large, body=b"", framed=False), 413)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"CONNECT elsewhere.example:443 HTTP/1.1", 400),
        (b"CONNECT /v1/models HTTP/1.1", 400),
        (b"M-SEARCH /v1/models HTTP/1.1", 400),
        (b"TRACE /v1/models HTTP/1.1", 405),
        (b"OPTIONS /v1/chat/completions HTTP/1.1", 405),
        (b"HEAD /v1/models HTTP/1.1", 405),
        (b"GET /v1/models HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13", 501),
    ],
)
async def test_methods_and_upgrades(port, request_bytes, line, expected):
    """No tunnel, no echo and no switch of protocols; the provider answers for its own methods."""
    answer = await exchange(port, request_bytes(line, body=b"", framed=False))
    status, headers, body = parse(answer)
    assert (status, headers["x-content-type-options"]) == (expected, "nosniff")
    assert headers["x-ingate-request-id"]
    assert body or line.startswith(b"HEAD")
