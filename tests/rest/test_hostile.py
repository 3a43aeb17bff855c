"""A thousand requests nobody would send: never a 500, never an answer that breaks a law."""

import asyncio
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rest_facade.dialects.ingate import INGATE
from tests.rest.laws import check
from tests.rest.raw import exchange, parse

odd = st.text(st.sampled_from(string.ascii_lowercase + "%./{}[]\"'&=?+-_~!é"), max_size=12)
segment = (
    st.sampled_from(["x", "..", "%2e%2e", "%00", "%ff", "%zz", "", "a%2Fb", "é", "*", "{key_id}", "%F0%9F%98%80"]) | odd
)
template = st.sampled_from([route.template for route in INGATE.routes])
json_text = st.sampled_from(
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b"{",
        b'{"name":null}',
        b'{"name":"\\u0000"}',
        b'{"name":"\\ud800"}',
        b'{"name":"\xff"}',
        b'{"scopes":[["read"]],"role":{}}',
        b'{"expires_at":"9999-12-31T23:59:59-23:59"}',
        b'{"rate_limit_per_minute":1e999}',
        b'{"rate_limit_per_minute":123456789012345678901234567890}',
        b'{"headers":{"":""},"models":[""],"type":"openai-compatible","timeout_ms":-0}',
        b'{"a":' * 100 + b"1" + b"}" * 100,
    ]
) | st.binary(max_size=40)
header = st.sampled_from(
    [
        b"X-Ingate-Key: \xff",
        b"X-Ingate-Key: sk-ingate-x",
        b"Authorization: Bearer ses-ingate-x",
        b"Authorization: Bearer",
        b"Authorization: \xe2\x82\xac",
        b"Content-Type: text/plain",
        b"Content-Type: application/json; charset=latin-1",
        b"Content-Type: ;;;",
        b"Content-Encoding: br",
        b"Accept: nothing/at-all",
        b"Origin: null",
        b"Cookie: a=b",
        b"Expect: the unexpected",
        b"X-Forwarded-For: 1.2.3.4, ::1",
        b"Upgrade: h2c",
    ]
)


@st.composite
def hostile(draw):
    """Returns the bytes of one request on, beside or near a route."""
    path = "/".join(draw(segment) if part.startswith("{") else part for part in draw(template).split("/"))
    path += draw(st.sampled_from(["", "", "", "/", "//", "/.", "%20"]))
    query = "&".join(
        f"{name}={value}"
        for name, value in draw(
            st.lists(
                st.tuples(
                    st.sampled_from(["limit", "offset", "level", "since", "stream", "cursor", "key", "x"]) | odd, odd
                ),
                max_size=3,
            )
        )
    )
    target = (path + ("?" + query if query else "")).replace(" ", "%20")
    verb = draw(st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "M-SEARCH"]))
    body = draw(json_text)
    lines = [
        f"{verb} {target} HTTP/1.1".encode(),
        b"Host: x",
        b"Connection: close",
        *draw(st.lists(header, max_size=3)),
    ]
    if body or draw(st.booleans()):
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@pytest.fixture
def run():
    """Returns a function that runs a coroutine on the loop of a thread, since hypothesis is synchronous."""
    import threading

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_a_thousand_requests(run):
    """Each is answered by a lawful answer below 500."""
    import grpc

    from rest_facade.app import Facade
    from tests.rest.stand_in import StandIn

    async def start():
        server = grpc.aio.server()
        server.add_generic_rpc_handlers(StandIn().handlers())
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        facade = Facade(channel, [INGATE])
        await facade.start("127.0.0.1", 0)
        return server, channel, facade

    async def stop():
        await facade.drain(1)
        await channel.close()
        await server.stop(0)

    server, channel, facade = run(start())

    @settings(
        max_examples=1000, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True
    )
    @given(hostile())
    def throw(request):
        status, headers, body = parse(run(exchange(facade.port, request)))
        # A request that cannot be parsed has no verb, so it is answered with a body.
        check(status, headers, body, head=request.startswith(b"HEAD ") and b"not valid HTTP" not in body)
        assert status < 500, request

    try:
        throw()
    finally:
        run(stop())
