import asyncio

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.rpc.inprocess.pipe import WINDOW, Pipe
from tests.support.waiting import PATIENCE


@given(st.lists(st.integers(0, 3 * WINDOW), max_size=12), st.integers(1, 4))
def test_messages_pass_in_order_and_within_the_window(sizes, pause):
    """Whatever the sizes and the reader's pace, all arrive in order, and unread bytes stay within one message."""

    async def run():
        pipe = Pipe(asyncio.get_running_loop())
        messages = [index.to_bytes(1, "big") * size for index, size in enumerate(sizes)]
        received = []

        async def write():
            for message in messages:
                assert await pipe.put(message)
                assert pipe._unread < WINDOW + len(message) + 5
            pipe.end()

        async with asyncio.TaskGroup() as group:
            group.create_task(write())
            while (message := await pipe.get()) is not None:
                received.append(message)
                if len(received) % pause == 0:
                    await asyncio.sleep(0)
        assert received == messages
        assert pipe.drained

    asyncio.run(run())


async def test_empty_messages_are_bounded_too():
    """A writer of nothing but empty messages waits as well."""
    pipe = Pipe(asyncio.get_running_loop())
    written = 0

    async def write():
        nonlocal written
        while await pipe.put(b""):
            written += 1

    task = asyncio.create_task(write())
    await asyncio.sleep(0)
    assert 0 < written <= WINDOW // 5 + 1
    assert not task.done()
    pipe.sever()
    await asyncio.wait_for(task, PATIENCE)


async def test_a_second_reader_or_writer_is_refused():
    """Reads and writes are one at a time."""
    pipe = Pipe(asyncio.get_running_loop())
    reading = asyncio.create_task(pipe.get())
    await asyncio.sleep(0)
    with pytest.raises(grpc.aio.InternalError):
        await pipe.get()
    await pipe.put(b"x" * WINDOW)
    assert await reading
    await pipe.put(b"x" * WINDOW)
    writing = asyncio.create_task(pipe.put(b""))
    await asyncio.sleep(0)
    with pytest.raises(grpc.aio.InternalError):
        await pipe.put(b"")
    pipe.sever()
    assert await writing is False


async def test_cancelled_waits_leave_the_pipe_usable():
    """A reader and a writer that give up lose and repeat nothing."""
    pipe = Pipe(asyncio.get_running_loop())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(pipe.get(), 0.001)
    await pipe.put(b"x" * WINDOW)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(pipe.put(b"lost"), 0.001)
    assert len(await pipe.get()) == WINDOW
    await pipe.put(b"y")
    pipe.end()
    assert [await pipe.get(), await pipe.get(), await pipe.get()] == [b"y", None, None]


async def test_severing_frees_both_sides():
    """A waiting reader finds the end, and what was unread is dropped."""
    pipe = Pipe(asyncio.get_running_loop())
    reading = asyncio.create_task(pipe.get())
    await asyncio.sleep(0)
    pipe.sever()
    assert await reading is None
    assert await pipe.put(b"x") is False
    assert await pipe.get() is None
