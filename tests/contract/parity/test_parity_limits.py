"""A message larger than the limit is refused by whoever receives it."""

import asyncio

import grpc
import pytest

from tests.support.transports import failure, text, values
from tests.support.waiting import PATIENCE

_LIMIT = 100_000
_FITS = text("x" * (_LIMIT - 4))  # a tag and three bytes of length
_TOO_LARGE = text("x" * (_LIMIT - 3))


async def _echo(request, _context):
    return request


async def test_a_message_of_exactly_the_limit_passes(connect):
    """The limit itself is allowed, both ways."""
    assert _FITS.ByteSize() == _LIMIT
    async with connect(max_message_bytes=_LIMIT, Ask=_echo) as stub:
        assert await stub.Ask(_FITS) == _FITS


async def test_a_request_over_the_limit_is_refused_by_the_server(connect):
    """RESOURCE_EXHAUSTED with both sizes, and the handler never runs."""
    ran = []

    async def ask(request, _context):
        ran.append(request)
        return request

    async with connect(max_message_bytes=_LIMIT, Ask=ask) as stub:
        error = await failure(stub.Ask(_TOO_LARGE))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.details() == "SERVER: Received message larger than max (100001 vs. 100000)"
    assert not ran


async def test_a_response_over_the_limit_is_refused_by_the_client(connect):
    """RESOURCE_EXHAUSTED with both sizes, unary and streaming, where the producer is cancelled."""
    cancelled = asyncio.Event()

    async def ask(_request, _context):
        return _TOO_LARGE

    async def list_(_request, _context):
        yield _FITS
        try:
            yield _TOO_LARGE
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with connect(max_message_bytes=_LIMIT, Ask=ask, List=list_) as stub:
        call = stub.List(text(""))
        assert await call.read() == _FITS
        for awaitable in (stub.Ask(text("")), call.read()):
            error = await failure(awaitable)
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "CLIENT: Received message larger than max (100001 vs. 100000)" in error.details()
        await asyncio.wait_for(cancelled.wait(), PATIENCE)


async def test_a_streamed_request_over_the_limit_ends_the_call(connect):
    """The handler is cancelled after what fitted."""
    read = []
    cancelled = asyncio.Event()

    async def collect(requests, _context):
        try:
            async for request in requests:
                size = request.ByteSize()
                read.append(size)
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with connect(max_message_bytes=_LIMIT, Collect=collect) as stub:
        error = await failure(stub.Collect(iter([text("a"), _TOO_LARGE, text("b")])))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert error.details() == "SERVER: Received message larger than max (100001 vs. 100000)"
        await asyncio.wait_for(cancelled.wait(), PATIENCE)
    assert read == [3]


@pytest.mark.parametrize("limit", [None, -1])
async def test_the_default_limit_is_four_mebibytes_and_can_be_lifted(connect, limit):
    """Without a limit given it is gRPC's own; -1 lifts it."""
    large = text("x" * (4 * 1024 * 1024))
    async with connect(max_message_bytes=limit, Ask=_echo) as stub:
        if limit == -1:
            assert await stub.Ask(large) == large
        else:
            error = await failure(stub.Ask(large))
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "vs. 4194304)" in error.details()


async def test_a_refused_request_does_not_disturb_other_calls(connect):
    """The channel serves on after a refusal."""

    async def chat(requests, _context):
        async for request in requests:
            yield request

    async with connect(max_message_bytes=_LIMIT, Ask=_echo, Chat=chat) as stub:
        for _ in range(3):
            assert (await failure(stub.Ask(_TOO_LARGE))).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert await values(stub.Chat(iter([text("x")]))) == ["x"]
