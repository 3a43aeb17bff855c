"""Streams: both styles on both sides, and a fast side waits for a slow one."""

import asyncio

import grpc
import pytest

from tests.support.transports import failure, text, values
from tests.support.waiting import PATIENCE, eventually

_CHUNK = text("x" * 65_536)
_MANY = 2_000  # chunks, 128 MiB: far more than any buffer between two ends holds


async def _echo_generator(requests, _context):
    async for request in requests:
        yield request


async def _echo_writer(_requests, context):
    while (request := await context.read()) is not grpc.aio.EOF:
        await context.write(request)


async def _join(requests, _context):
    return text(",".join(await values(requests)))


@pytest.mark.parametrize("handler", [_echo_generator, _echo_writer])
async def test_chat_in_lock_step(connect, handler):
    """Generators and read/write handlers answer each message before the next."""
    async with connect(Chat=handler) as stub:
        call = stub.Chat()
        await call.wait_for_connection()
        for value in ("a", "b", "c"):
            await call.write(text(value))
            assert (await call.read()).value == value
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK


@pytest.mark.parametrize("handler", [_echo_generator, _echo_writer])
async def test_chat_by_iterators(connect, handler):
    """Requests from an async iterator or a plain one, responses by iteration."""

    async def requests():
        for value in ("a", "b"):
            yield text(value)

    async with connect(Chat=handler) as stub:
        assert await values(stub.Chat(requests())) == ["a", "b"]
        assert await values(stub.Chat(iter([text("c"), text("d")]))) == ["c", "d"]
        assert await values(stub.Chat(iter([]))) == []


async def test_collect_by_writes_and_by_iterators(connect):
    """A streaming client gets one answer, whichever way it sends."""
    async with connect(Collect=_join) as stub:
        assert (await stub.Collect(iter([text("a"), text("b")]))).value == "a,b"
        call = stub.Collect()
        await call.write(text("c"))
        await call.write(text("d"))
        await call.done_writing()
        await call.done_writing()
        with pytest.raises(asyncio.InvalidStateError):
            await call.write(text("e"))
        assert (await call).value == "c,d"


async def test_styles_do_not_mix(connect):
    """Writing beside an iterator, or iterating after reading, is a UsageError."""

    async def list_(request, _context):
        yield request
        yield request

    async with connect(List=list_, Collect=_join) as stub:
        sending = stub.Collect(iter([]))
        with pytest.raises(grpc.aio.UsageError):
            await sending.write(text(""))
        with pytest.raises(grpc.aio.UsageError):
            await sending.done_writing()
        await sending
        reading = stub.List(text(""))
        await reading.read()
        with pytest.raises(grpc.aio.UsageError):
            aiter(reading)


async def test_a_stream_is_done_when_it_was_read(connect):
    """Unread messages keep a call from being done, however long its handler has ended."""
    ended = asyncio.Event()

    async def list_(_request, context):
        context.add_done_callback(lambda _: ended.set())
        yield text("a")
        yield text("b")

    async with connect(List=list_) as stub:
        call = stub.List(text(""))
        await asyncio.wait_for(ended.wait(), PATIENCE)
        assert (await call.read()).value == "a"
        assert not call.done()
        assert (await call.read()).value == "b"
        assert await call.code() is grpc.StatusCode.OK
        assert call.done()


async def test_a_fast_server_waits_for_a_slow_client(connect):
    """A handler stops sending soon after its client stops reading, and goes on when it reads again."""
    sent = 0

    async def list_(_request, _context):
        nonlocal sent
        for _ in range(_MANY):
            yield _CHUNK
            sent += 1

    async with connect(List=list_) as stub:
        call = stub.List(text(""))
        await call.read()
        stalled = await _settled(lambda: sent)
        assert stalled < _MANY // 2
        for _ in range(stalled):
            await call.read()
        await eventually(lambda: sent > stalled)
        call.cancel()


async def test_a_fast_client_waits_for_a_slow_server(connect):
    """Writes wait while the handler does not read, and end when the call does."""
    sent = 0
    release = asyncio.Event()

    async def collect(requests, _context):
        await release.wait()
        return text(str(sum([1 async for _ in requests])))

    async def requests():
        nonlocal sent
        for _ in range(_MANY // 8):
            yield _CHUNK
            sent += 1

    async with connect(Collect=collect) as stub:
        call = stub.Collect(requests())
        assert await _settled(lambda: sent) < _MANY // 16 * 2 - 1
        release.set()
        assert (await call).value == str(_MANY // 8)


async def _settled(value):
    """What `value()` is once it has stopped changing."""
    last, same = value(), 0
    while same < 5:
        await asyncio.sleep(0.05)
        last, same = value(), same + 1 if value() == last else 0
    return last


async def test_cancelling_a_slow_client_ends_a_waiting_producer(connect):
    """A producer stuck in a write is ended, its own cleanup included."""
    cleaned = asyncio.Event()
    sent = 0

    async def list_(_request, _context):
        nonlocal sent
        try:
            while True:
                yield _CHUNK
                sent += 1
        finally:
            cleaned.set()

    async with connect(List=list_) as stub:
        call = stub.List(text(""))
        async for _ in call:
            break
        await _settled(lambda: sent)
        call.cancel()
        await asyncio.wait_for(cleaned.wait(), PATIENCE)


async def test_a_server_may_answer_before_it_read_everything(connect):
    """An early answer ends the call; later writes find it over."""

    async def collect(_requests, _context):
        return text("early")

    async with connect(Collect=collect) as stub:
        call = stub.Collect()
        assert (await call).value == "early"
        with pytest.raises(asyncio.InvalidStateError):
            await call.write(text(""))
        await call.done_writing()


async def test_a_server_may_fail_before_it_read_everything(connect):
    """A stuck writer is freed by an early error and learns of it from the call."""
    release = asyncio.Event()

    async def collect(_requests, context):
        await release.wait()
        await context.abort(grpc.StatusCode.ABORTED, "enough")

    async with connect(Collect=collect) as stub:
        call = stub.Collect()

        async def write_for_ever():
            while True:
                await call.write(_CHUNK)

        writing = asyncio.create_task(write_for_ever())
        await asyncio.sleep(0)
        release.set()
        assert (await failure(call)).code() is grpc.StatusCode.ABORTED
        with pytest.raises((asyncio.InvalidStateError, grpc.aio.AioRpcError)):
            await asyncio.wait_for(writing, PATIENCE)


async def test_a_client_iterator_that_raises_cancels_the_call(connect):
    """The handler is cancelled, and so is the client."""
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def collect(requests, _context):
        try:
            async for _ in requests:
                started.set()
            await asyncio.Event().wait()  # on a socket the end of the requests may come first
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return text("")

    async def requests():
        yield text("a")
        await started.wait()
        raise ValueError("the client's own")

    async with connect(Collect=collect) as stub:
        call = stub.Collect(requests())
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await call.code() is grpc.StatusCode.CANCELLED
        await asyncio.wait_for(cancelled.wait(), PATIENCE)
