"""Deadlines end the call on both sides."""

import asyncio

import grpc
import pytest

from tests.support.transports import failure, text, values
from tests.support.waiting import PATIENCE


class Stuck:
    """A handler that waits for ever and says when it is cancelled."""

    def __init__(self):
        self.started = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.remaining = []

    async def wait(self, context):
        self.remaining.append(context.time_remaining())
        self.started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.remaining.append(context.time_remaining())
            self.cancelled.set()
            raise

    async def ask(self, _request, context):
        await self.wait(context)

    async def list(self, request, context):
        yield request
        await self.wait(context)

    async def collect(self, _requests, context):
        await self.wait(context)


async def test_a_call_past_its_deadline_fails_and_its_handler_is_cancelled(connect):
    """The client gets DEADLINE_EXCEEDED without metadata; the handler is cancelled with no time left."""
    stuck = Stuck()
    async with connect(Ask=stuck.ask) as stub:
        call = stub.Ask(text(""), timeout=0.2)
        assert 0 < call.time_remaining() <= 0.2
        error = await failure(call)
        assert (error.code(), error.details()) == (grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
        assert error.initial_metadata() == error.trailing_metadata() == grpc.aio.Metadata()
        assert (call.done(), call.cancelled(), call.time_remaining()) == (True, False, 0)
        assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.wait_for(stuck.cancelled.wait(), PATIENCE)
    assert 0 < stuck.remaining[0] < 0.3
    assert stuck.remaining[1] < 0.05


async def test_a_stream_past_its_deadline_fails_after_what_was_read(connect):
    """Messages read before the deadline count; then comes DEADLINE_EXCEEDED."""
    stuck = Stuck()
    async with connect(List=stuck.list) as stub:
        call = stub.List(text("x"), timeout=0.2)
        assert (await call.read()).value == "x"
        error = await failure(call.read())
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.wait_for(stuck.cancelled.wait(), PATIENCE)


async def test_a_streaming_client_past_its_deadline_fails(connect):
    """A client that never ends its requests is ended by its deadline."""
    stuck = Stuck()
    async with connect(Collect=stuck.collect) as stub:
        call = stub.Collect(timeout=0.2)
        await call.write(text("x"))
        assert (await failure(call)).code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.wait_for(stuck.cancelled.wait(), PATIENCE)


@pytest.mark.parametrize("seconds", [0, -1])
async def test_a_deadline_that_has_passed_fails_at_once(connect, seconds):
    """A timeout of zero or less is DEADLINE_EXCEEDED for every kind of call."""
    stuck = Stuck()
    async with connect(Ask=stuck.ask, List=stuck.list, Collect=stuck.collect) as stub:
        for awaitable in (
            stub.Ask(text(""), timeout=seconds),
            values(stub.List(text(""), timeout=seconds)),
            stub.Collect(timeout=seconds),
        ):
            assert (await failure(awaitable)).code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_call_within_its_deadline_is_not_disturbed(connect):
    """A deadline far away changes nothing, and the handler sees it."""
    remaining = []

    async def ask(request, context):
        remaining.append(context.time_remaining())
        return request

    async with connect(Ask=ask) as stub:
        assert (await stub.Ask(text("x"), timeout=1000)).value == "x"
    assert 900 < remaining[0] < 1100  # a socket rounds timeouts up
