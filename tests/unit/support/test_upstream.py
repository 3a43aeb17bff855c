import asyncio
import contextlib
import gc
import ssl
import sys

import httpx
import pytest
import trustme
import uvloop

from tests.support.process import Child
from tests.support.upstream import (
    SSE,
    ProtocolViolation,
    ScriptedUpstream,
    accept_only,
    byte_by_byte,
    chunk,
    close,
    delay,
    early_413,
    end,
    event,
    garbage,
    head,
    inside_crlf,
    never_ends,
    on_accept,
    pause,
    reset,
    respond,
    send,
    slow_head,
    sse,
    stall,
    status,
    truncated,
    truncated_chunk,
)

GET = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"


def on_both_loops(test):
    """Runs an async test on asyncio's loop and on uvloop."""

    @pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
    def run(new_loop):
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(test())
        gc.collect()

    run.__doc__ = test.__doc__
    return run


class Raw:
    """A client that shows the bytes."""

    def __init__(self, up):
        self._up = up

    async def __aenter__(self):
        self.reader, self._writer = await asyncio.open_connection(self._up.host, self._up.port)
        return self

    async def __aexit__(self, *_exc):
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return

    async def ask(self, data):
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self, size=None):
        """Returns the head and the body of a response with a length, or what `size` bytes are."""
        if size is not None:
            return await self.reader.readexactly(size)
        first = await self.reader.readuntil(b"\r\n\r\n")
        [length] = [line for line in first.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        return first, await self.reader.readexactly(int(length.split(b":")[1]))


async def told(up, *parts, request=GET):
    """Returns everything the server sends for a request until it closes."""
    up.enqueue(*parts)
    async with Raw(up) as client:
        await client.ask(request)
        return await client.reader.read()


@on_both_loops
async def test_requests_are_recorded_byte_for_byte():
    """Names, order, repeats and chunk framing are kept; pipelined requests on one connection are told apart."""
    first = b"POST /a%20b?q=1&q=2 HTTP/1.1\r\nHOST: h\r\nx-A:  1 \r\nX-a: 2\r\nContent-Length: 4\r\n\r\n\x00\xff\r\n"
    second = b"PUT /c HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nt: v\r\n\r\n"
    async with ScriptedUpstream() as up:
        up.script("/a b", status(200, body=b"one"))
        up.script(lambda request: request.method == b"PUT", status(200, body=b"two"))
        async with Raw(up) as client:
            await client.ask(first + second)
            assert [(await client.answer())[1] for _ in range(2)] == [b"one", b"two"]
        one, two = await up.wait_for(2)
        assert one.headers == [(b"HOST", b"h"), (b"x-A", b"1"), (b"X-a", b"2"), (b"Content-Length", b"4")]
        assert (one.method, one.target, one.path, one.query) == (b"POST", b"/a%20b?q=1&q=2", "/a b", {"q": "2"})
        assert (one.body, one.raw, one.header("X-A")) == (b"\x00\xff\r\n", first, b"1")
        assert (two.body, two.raw, two.connection) == (b"abcde", second, one.connection)


@on_both_loops
async def test_a_large_body_and_a_large_answer_arrive():
    """Ten megabytes each way pass with bounded buffers."""
    block = bytes(range(256)) * 40_000
    async with ScriptedUpstream() as up:
        up.enqueue(status(200, body=block))
        async with Raw(up) as client:
            await client.ask(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(block))
            assert await client.answer(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
            await client.ask(block)
            assert (await client.answer())[1] == block
        assert up.requests[0].body == block


@on_both_loops
async def test_scripts_and_queue_have_an_order():
    """The queue goes first, then the latest script, which may be used up; then the vendors' defaults."""
    async with ScriptedUpstream() as up, httpx.AsyncClient(base_url=up.url, verify=False) as client:
        up.script("/x", status(501))
        up.script("/x", status(502), times=1)
        up.enqueue(status(503))
        codes = [(await client.get("/x")).status_code for _ in range(4)]
        assert codes == [503, 502, 501, 501]
        assert (await client.get("/y")).status_code == 404
        with pytest.raises(ValueError, match="enqueue"):
            up.script("/x", accept_only())


@on_both_loops
async def test_steps_follow_the_test():
    """What is sent before a pause arrives before the gate opens, what is after only then."""
    go = asyncio.Event()
    async with ScriptedUpstream() as up:
        up.enqueue(
            head(200, SSE), send(chunk(event("a", "n"))), pause(go), send(chunk(event({"b": 1}))), end(), delay(0)
        )
        async with Raw(up) as client:
            await client.ask(GET)
            first = await client.reader.readuntil(b"\r\n\r\n")
            assert b"text/event-stream" in first
            assert b"transfer-encoding: chunked" in first
            assert await client.answer(24) == b"12\r\nevent: n\ndata: a\n\n\r\n"
            go.set()
            assert await client.answer(25) == b'f\r\ndata: {"b":1}\n\n\r\n0\r\n\r\n'


@on_both_loops
async def test_framings():
    """The same body with a length, in chunks, and delimited by the close."""
    async with ScriptedUpstream() as up:
        request = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"
        assert (await told(up, respond(body=b"abc"), request=request)).endswith(b"content-length: 3\r\n\r\nabc")
        chunked = await told(up, respond(body=[b"ab", b"", b"c"], framing="chunked"), request=request)
        assert chunked.endswith(b"chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
        assert (await told(up, respond(body=b"abc", framing="close"))).endswith(b"connection: close\r\n\r\nabc")
        assert await told(up, respond(201, [("X", "é")], reason="Yes", cut_wire=byte_by_byte), request=request) == (
            "HTTP/1.1 201 Yes\r\nX: é\r\ncontent-length: 0\r\n\r\n".encode()
        )


@on_both_loops
async def test_events_in_any_cut_and_coding():
    """A foreign client decodes the stream whatever the cut, the line ends and the content coding."""
    async with ScriptedUpstream() as up, httpx.AsyncClient(base_url=up.url, verify=False) as client:
        for options in (
            {},
            {"cut": byte_by_byte},
            {"cut": inside_crlf},
            {"cut_wire": byte_by_byte},
            {"framing": "length", "coding": "gzip"},
            {"framing": "close", "coding": "br", "cut": byte_by_byte},
            {"coding": "zstd"},
            {"coding": "deflate"},
        ):
            up.enqueue(sse(["a", ("n", {"b": "ü"}), b": ping\r\n\r\n"], newline=b"\r\n", **options))
            answer = await client.get("/")
            assert answer.content == b'data: a\r\n\r\nevent: n\r\ndata: {"b":"\\u00fc"}\r\n\r\n: ping\r\n\r\n', options


def test_cuts_lose_nothing():
    """CRLF is cut between its bytes."""
    assert inside_crlf(b"a\r\nb\n\r\n") == [b"a\r", b"\nb\n\r", b"\n"]


@on_both_loops
async def test_connections_break_as_told():
    """A reset is a reset after the bytes before it; a close is an end; garbage and truncation are what they say."""
    async with ScriptedUpstream() as up:
        up.enqueue(head(200, SSE), send(b"5\r\nab"), reset())
        async with Raw(up) as client:
            await client.ask(GET)
            assert (await client.reader.readuntil(b"ab")).endswith(b"5\r\nab")
            with pytest.raises(ConnectionResetError):
                await client.reader.read()
        assert (await told(up, head(), close())).endswith(b"\r\n\r\n")
        assert len(await told(up, garbage(100))) == 100
        assert (await told(up, truncated(body=b"x", missing=9))).endswith(b"content-length: 10\r\n\r\nx")
        assert (await told(up, head(), truncated_chunk(b"abc", missing=2))).endswith(b"5\r\nabc")
        assert (await told(up, slow_head(every=0.0), close())).endswith(b"content-length: 2\r\n\r\n{}")
        assert await told(up, on_accept(send(b"early"), close()), request=b"") == b"early"
        await up.wait_closed_connections()


@on_both_loops
async def test_a_client_that_leaves_is_noticed():
    """Stalled, endless, and unread connections end when the client closes; connections are counted."""
    gate = asyncio.Event()
    async with ScriptedUpstream() as up:
        up.enqueue(accept_only())
        for parts in ([stall()], [head(), never_ends(chunk(b"x"), every=0.001)], [pause(gate)]):
            up.enqueue(*parts)
        async with Raw(up) as unread, Raw(up) as one, Raw(up) as two, Raw(up) as three:
            await up.wait_connections(4)
            for client in (unread, one, two, three):
                await client.ask(GET)
            await two.reader.readuntil(chunk(b"x") * 3)
            assert len(await up.wait_for(3)) == 3
            assert up.connections == up.peak_connections == up.accepted == 4
        await up.wait_closed_connections()


@on_both_loops
async def test_leaving_cuts_everything_off():
    """The server closes with stalled, endless and idle connections open, and clients see an end or a reset."""
    async with ScriptedUpstream() as up:
        up.enqueue(stall())
        up.enqueue(head(), never_ends(b"x" * 65536))
        async with Raw(up) as one, Raw(up) as two, Raw(up):
            await one.ask(GET)
            await two.ask(GET)
            await up.wait_for(2)
            await up.wait_connections(3)
            await up.__aexit__(None, None, None)
            assert up.connections == 0
            with contextlib.suppress(ConnectionResetError):
                assert await one.reader.read() == b""


@on_both_loops
async def test_back_pressure_reaches_both_ways():
    """An unread endless answer stops; an unread request body stops its sender."""
    async with ScriptedUpstream(send_buffer=4096, receive_buffer=4096) as up:
        up.enqueue(accept_only())
        up.enqueue(head(), never_ends(b"x" * 65536))
        async with Raw(up) as unread, Raw(up) as unreading:
            await up.wait_connections(2)
            await unreading.ask(GET)
            await up.wait_for(1)
            sending = asyncio.ensure_future(unread.ask(GET + b"x" * 50_000_000))
            sent = -1
            while sent != up.bytes_sent:
                sent = up.bytes_sent
                await asyncio.wait([sending], timeout=0.1)
            assert sent < 20_000_000
            assert not sending.done()
            sending.cancel()
            unread._writer.transport.abort()


@on_both_loops
async def test_too_large_is_said_before_the_body():
    """413 comes with the body unread; then the body is read and the connection serves on, or it closes."""
    request = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n"
    async with ScriptedUpstream() as up:
        up.enqueue(early_413())
        async with Raw(up) as client:
            await client.ask(request)
            assert (await client.answer())[0].startswith(b"HTTP/1.1 413 ")
            assert up.requests[0].body == b""
            await client.ask(b"abc" + GET)
            assert (await client.answer())[0].startswith(b"HTTP/1.1 404 ")
        assert (await told(up, early_413(then_close=True), request=request)).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "data",
    [
        b"GET /\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nspace : x\r\n\r\n",
        b"GET / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nz\r\n",
        b"GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc",
        b"x" * 1_100_000,
    ],
)
async def test_a_client_that_speaks_no_http_fails_the_test(data):
    """The violation is raised when the server closes, unless the test fails anyway: then it is a note."""

    async def story(error=None):
        async with ScriptedUpstream() as up, Raw(up) as client:
            await client.ask(data)
            await up.wait_closed_connections()
            if error:
                raise error

    with pytest.raises(ProtocolViolation):
        await story()
    with pytest.raises(KeyError) as caught:
        await story(KeyError())
    assert "ProtocolViolation" in caught.value.__notes__[0]


async def test_waiting_in_vain_says_what_is_there():
    """A wait that times out names the state."""
    async with ScriptedUpstream() as up, Raw(up):
        await up.wait_connections(1)
        with pytest.raises(AssertionError, match="0 requests, 1 connections open, 1 accepted"):
            await up.wait_for(1, timeout=0.01)


@on_both_loops
async def test_tls():
    """The same over TLS, reset included."""
    authority = trustme.CA()
    server, trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(trust)
    async with ScriptedUpstream(ssl=server) as up, httpx.AsyncClient(base_url=up.url, verify=trust) as client:
        up.enqueue(status(200, body=b"secret"))
        up.enqueue(reset())
        assert (await client.get("/")).content == b"secret"
        with pytest.raises(httpx.NetworkError):
            await client.get("/")


async def test_the_command_line_serves_a_stream():
    """A process of its own announces its address, streams as many events as asked, and ends on SIGTERM."""
    argv = [sys.executable, "-m", "tests.support.upstream", "--events", "7", "--interval", "0.001", "--think", "0.001"]
    with Child(argv) as child:
        url = (await child.expect_line(r"listening on (\S+)")).group(1)
        async with httpx.AsyncClient(base_url=url, verify=False) as client:
            body = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}
            answer = await client.post("/v1/chat/completions", json=body)
            assert answer.text.count('"content":') == 8
            assert '"completion_tokens":7' in answer.text
        child.signal()
        assert await child.wait_exit() == 0
