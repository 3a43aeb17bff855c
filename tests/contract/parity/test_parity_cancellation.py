"""Cancelling a call, or the task that awaits it, cancels the handler."""

import asyncio

import grpc
import pytest

from tests.support.transports import text
from tests.support.waiting import PATIENCE

_DETAILS = "Locally cancelled by application!"


class Stuck:
    """Handlers that wait for ever and record how they end."""

    def __init__(self):
        self.started = asyncio.Event()
        self.ended = asyncio.get_running_loop().create_future()

    async def wait(self, context):
        context.add_done_callback(lambda ended: self.ended.set_result((ended.cancelled(), ended.done())))
        self.started.set()
        await asyncio.Event().wait()

    async def ask(self, _request, context):
        await self.wait(context)

    async def list(self, request, context):
        yield request
        await self.wait(context)

    async def chat(self, requests, context):
        async for request in requests:
            await context.write(request)
        await self.wait(context)


async def test_cancelling_a_call_cancels_its_handler(connect):
    """The client sees CANCELLED at once, awaiting raises CancelledError, and the handler ends without a status."""
    stuck = Stuck()
    async with connect(Ask=stuck.ask) as stub:
        call = stub.Ask(text(""))
        await asyncio.wait_for(stuck.started.wait(), PATIENCE)
        assert (call.cancel(), call.cancel()) == (True, False)
        assert (call.cancelled(), call.done()) == (True, True)
        assert (await call.code(), await call.details()) == (grpc.StatusCode.CANCELLED, _DETAILS)
        assert await call.initial_metadata() == await call.trailing_metadata() == grpc.aio.Metadata()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await asyncio.wait_for(stuck.ended, PATIENCE) == (False, False)


async def test_cancelling_the_awaiting_task_cancels_the_call(connect):
    """A task cancelled while it awaits a unary call takes the call and the handler with it."""
    stuck = Stuck()
    async with connect(Ask=stuck.ask) as stub:
        call = stub.Ask(text(""))

        async def wait():
            await call

        task = asyncio.create_task(wait())
        await asyncio.wait_for(stuck.started.wait(), PATIENCE)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await call.code(), await call.details()) == (grpc.StatusCode.CANCELLED, _DETAILS)
        await asyncio.wait_for(stuck.ended, PATIENCE)


async def test_a_call_cancelled_before_it_began(connect):
    """Cancelling right after calling is CANCELLED too."""
    stuck = Stuck()
    async with connect(Ask=stuck.ask) as stub:
        call = stub.Ask(text(""))
        assert call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await call.code() is grpc.StatusCode.CANCELLED


@pytest.mark.parametrize("style", ["iterate", "read"])
async def test_cancelling_a_reading_task_cancels_the_stream(connect, style):
    """A task cancelled while it waits for the next message takes the call with it."""
    stuck = Stuck()
    first = asyncio.Event()
    async with connect(List=stuck.list) as stub:
        call = stub.List(text("x"))

        async def consume():
            if style == "read":
                while await call.read():
                    first.set()
            async for _ in call:
                first.set()

        task = asyncio.create_task(consume())
        await asyncio.wait_for(first.wait(), PATIENCE)
        await asyncio.wait_for(stuck.started.wait(), PATIENCE)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert call.cancelled()
        await asyncio.wait_for(stuck.ended, PATIENCE)


async def test_a_cancelled_stream_raises_on_every_further_use(connect):
    """Reading and iterating raise CancelledError; writing finds the call over."""
    stuck = Stuck()
    async with connect(Chat=stuck.chat) as stub:
        call = stub.Chat()
        await call.write(text("x"))
        assert (await call.read()).value == "x"
        await call.done_writing()
        await asyncio.wait_for(stuck.started.wait(), PATIENCE)
        assert call.cancel()
        for _ in range(2):
            with pytest.raises(asyncio.CancelledError):
                await call.read()
        with pytest.raises(asyncio.InvalidStateError):
            await call.write(text(""))
        await call.done_writing()
        await asyncio.wait_for(stuck.ended, PATIENCE)


async def test_breaking_out_does_not_cancel_but_cancelling_does(connect):
    """After a break the call lives on until it is cancelled."""
    stuck = Stuck()
    async with connect(List=stuck.list) as stub:
        call = stub.List(text("x"))
        async for _ in call:
            break
        await asyncio.wait_for(stuck.started.wait(), PATIENCE)
        assert not call.done()
        assert call.cancel()
        await asyncio.wait_for(stuck.ended, PATIENCE)


async def test_a_handler_may_finish_its_cleanup_after_cancellation(connect):
    """The client does not wait for it, and what the handler writes then fails with InternalError."""
    started, failed = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def chat(_requests, context):
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        try:
            await context.write(text("too late"))
        except grpc.aio.InternalError as error:
            failed.set_result(error)

    async with connect(Chat=chat) as stub:
        call = stub.Chat()
        await asyncio.wait_for(started.wait(), PATIENCE)
        call.cancel()
        assert await call.code() is grpc.StatusCode.CANCELLED
        assert await asyncio.wait_for(failed, PATIENCE)


async def test_closing_the_channel_cancels_its_calls(connect):
    """Calls of a closed channel are CANCELLED, and new ones are a UsageError."""
    stuck = Stuck()
    async with connect(Ask=stuck.ask) as stub:
        call = stub.Ask(text(""))
        await asyncio.wait_for(stuck.started.wait(), PATIENCE)
        await stub.channel.close()
        assert await call.code() is grpc.StatusCode.CANCELLED
        await asyncio.wait_for(stuck.ended, PATIENCE)
        with pytest.raises(grpc.aio.UsageError):
            stub.Ask(text(""))
        assert stub.channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN


async def test_closing_the_channel_with_grace_lets_calls_end(connect):
    """A call that ends within the grace period is not cancelled."""
    started, release = asyncio.Event(), asyncio.Event()

    async def ask(request, _context):
        started.set()
        await release.wait()
        return request

    async with connect(Ask=ask) as stub:
        call = stub.Ask(text("x"))
        await asyncio.wait_for(started.wait(), PATIENCE)
        closing = asyncio.create_task(stub.channel.close(grace=5))
        release.set()
        await closing
        assert (await call).value == "x"
