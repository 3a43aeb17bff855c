"""A handler runs in a task and a context of its own, and its servicer context tells of the call."""

import asyncio
import contextvars

import grpc

from tests.support.transports import text
from tests.support.waiting import PATIENCE

_variable = contextvars.ContextVar("variable", default="unset")


async def test_context_variables_do_not_leak_either_way(connect):
    """What the client has set the handler does not see, and the other way round."""
    seen = []

    async def ask(request, _context):
        seen.append(_variable.get())
        _variable.set("server")
        return request

    async with connect(Ask=ask) as stub:
        token = _variable.set("client")
        try:
            await stub.Ask(text(""))
            await stub.Ask(text(""))
            assert _variable.get() == "client"
        finally:
            _variable.reset(token)
    assert seen == ["unset", "unset"]


async def test_a_handler_has_its_own_task(connect):
    """Each call has one task, which is not its client's."""
    tasks = []

    async def ask(request, _context):
        tasks.append(asyncio.current_task())
        return request

    async with connect(Ask=ask) as stub:
        await stub.Ask(text(""))
        await stub.Ask(text(""))
    assert len({*tasks, asyncio.current_task()}) == 3


async def test_calls_run_side_by_side(connect):
    """A waiting handler holds up no other call."""
    release = asyncio.Event()

    async def ask(request, _context):
        if request.value == "wait":
            await release.wait()
        return request

    async with connect(Ask=ask) as stub:
        waiting = [stub.Ask(text("wait")) for _ in range(20)]
        assert (await stub.Ask(text("now"))).value == "now"
        assert not any(call.done() for call in waiting)
        release.set()
        assert [(await call).value for call in waiting] == ["wait"] * 20


async def test_the_servicer_context_before_anything_happened(connect):
    """A fresh context has no code, no details, no trailing metadata, no deadline, and is not done."""
    seen = {}

    async def ask(request, context):
        seen.update(
            code=context.code(),
            details=context.details(),
            trailing=context.trailing_metadata(),
            remaining=context.time_remaining(),
            done=context.done(),
            cancelled=context.cancelled(),
            identities=context.peer_identities(),
            identity_key=context.peer_identity_key(),
        )
        assert isinstance(context.peer(), str)
        assert isinstance(context.auth_context(), dict)
        context.set_compression(grpc.Compression.NoCompression)
        context.disable_next_message_compression()
        return request

    async with connect(Ask=ask) as stub:
        await stub.Ask(text(""))
    assert seen == {
        "code": None,
        "details": "",
        "trailing": (),
        "remaining": None,
        "done": False,
        "cancelled": False,
        "identities": None,
        "identity_key": None,
    }


async def test_done_callbacks_of_the_server_run_after_the_handler(connect):
    """The callback gets the context, done."""
    called = asyncio.get_running_loop().create_future()

    async def ask(request, context):
        context.add_done_callback(lambda ended: called.set_result((ended is context, ended.done())))
        return request

    async with connect(Ask=ask) as stub:
        await stub.Ask(text(""))
        assert await asyncio.wait_for(called, PATIENCE) == (True, True)


async def test_done_callbacks_of_the_client_run_at_the_end(connect):
    """The callback gets the call, also when it was over already."""

    async def ask(request, _context):
        return request

    async with connect(Ask=ask) as stub:
        call = stub.Ask(text(""))
        for _ in range(2):
            called = asyncio.get_running_loop().create_future()
            call.add_done_callback(called.set_result)
            assert await asyncio.wait_for(called, PATIENCE) is call
            assert call.done()


async def test_a_finished_call_tells_its_end(connect):
    """A good call is OK without details and cannot be cancelled any more."""

    async def ask(request, context):
        context.set_details("not for clients of good calls")
        return request

    async with connect(Ask=ask) as stub:
        call = stub.Ask(text(""), wait_for_ready=True, compression=grpc.Compression.NoCompression)
        await call
        await call.wait_for_connection()
        assert (await call.code(), await call.details()) == (grpc.StatusCode.OK, "")
        assert (call.done(), call.cancelled(), call.cancel(), call.time_remaining()) == (True, False, False, None)
