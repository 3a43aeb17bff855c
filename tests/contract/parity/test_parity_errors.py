"""However a handler fails, the client gets the same AioRpcError."""

import asyncio

import grpc
import pytest
from google.rpc import code_pb2, status_pb2
from grpc_status import rpc_status

from tests.support.transports import failure, text, values
from tests.support.waiting import PATIENCE


async def test_abort_carries_code_details_and_all_metadata(connect):
    """The error holds what the handler sent and gave."""

    async def ask(_request, context):
        await context.send_initial_metadata((("i", "1"),))
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such thing", (("t", "1"), ("t-bin", b"\x01")))

    async with connect(Ask=ask) as stub:
        call = stub.Ask(text(""))
        error = await failure(call)
        assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "no such thing")
        assert tuple(error.initial_metadata()) == (("i", "1"),)
        assert tuple(error.trailing_metadata()) == (("t", "1"), ("t-bin", b"\x01"))
        assert error.debug_error_string() == "NOT_FOUND:no such thing"
        assert (await call.code(), await call.details()) == (grpc.StatusCode.NOT_FOUND, "no such thing")
        assert (call.done(), call.cancelled()) == (True, False)


async def test_abort_keeps_what_was_set_before(connect):
    """Details and trailing metadata set earlier hold when abort gives none."""

    async def ask(_request, context):
        context.set_details("set before")
        context.set_trailing_metadata((("t", "0"),))
        await context.abort(grpc.StatusCode.ABORTED)

    async with connect(Ask=ask) as stub:
        error = await failure(stub.Ask(text("")))
    assert (error.code(), error.details()) == (grpc.StatusCode.ABORTED, "set before")
    assert tuple(error.trailing_metadata()) == (("t", "0"),)


async def test_abort_with_status_carries_rich_details(connect):
    """A google.rpc.Status arrives whole through grpc_status."""
    status = status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message="slow down")
    status.details.add().Pack(text("detail"))

    async def ask(_request, context):
        await context.abort_with_status(rpc_status.to_status(status))

    async with connect(Ask=ask) as stub:
        error = await failure(stub.Ask(text("")))
    assert rpc_status.from_call(error) == status
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    ("code", "expected"), [(grpc.StatusCode.NOT_FOUND, "NOT_FOUND"), (5, "NOT_FOUND"), (77, "UNKNOWN")]
)
async def test_a_code_that_was_set_discards_the_response(connect, code, expected):
    """set_code and set_details fail the call though the handler returns; odd codes are UNKNOWN."""

    async def ask(request, context):
        context.set_code(code)
        context.set_details("details")
        context.set_trailing_metadata((("t", "1"),))
        assert (context.code(), context.details()) == (code, "details")
        return request

    async with connect(Ask=ask) as stub:
        error = await failure(stub.Ask(text("")))
    assert (error.code().name, error.details()) == (expected, "details")
    assert tuple(error.trailing_metadata()) == (("t", "1"),)


async def test_a_handler_that_set_cancelled_says_so(connect):
    """CANCELLED set by a handler is an error for its client, not a local cancellation."""
    seen = []

    async def ask(request, context):
        context.set_code(grpc.StatusCode.CANCELLED)
        seen.append(context.cancelled())
        return request

    async with connect(Ask=ask) as stub:
        call = stub.Ask(text(""))
        assert (await failure(call)).code() is grpc.StatusCode.CANCELLED
        assert call.cancelled()
    assert seen == [True]


async def test_an_unhandled_exception_is_unknown_with_its_text(connect):
    """Whatever a handler raises reaches the client as text."""

    async def ask(_request, _context):
        raise ValueError("the text")

    async with connect(Ask=ask) as stub:
        error = await failure(stub.Ask(text("")))
    assert (error.code(), error.details()) == (grpc.StatusCode.UNKNOWN, "Unexpected <class 'ValueError'>: the text")


async def test_an_unhandled_exception_keeps_code_and_metadata(connect):
    """A code and trailing metadata set before the exception hold; its text replaces the details."""

    async def ask(_request, context):
        context.set_code(grpc.StatusCode.DATA_LOSS)
        context.set_details("replaced")
        context.set_trailing_metadata((("t", "1"),))
        raise ValueError("the text")

    async with connect(Ask=ask) as stub:
        error = await failure(stub.Ask(text("")))
    assert (error.code(), error.details()) == (grpc.StatusCode.DATA_LOSS, "Unexpected <class 'ValueError'>: the text")
    assert tuple(error.trailing_metadata()) == (("t", "1"),)


@pytest.mark.parametrize("then", ["return", "raise", "abort again"])
async def test_a_suppressed_abort_stands(connect, then):
    """Whatever a handler does after its abort, the client has the abort's status."""
    seen, caught = [], asyncio.Event()

    async def ask(request, context):
        try:
            await context.abort(grpc.StatusCode.NOT_FOUND, "gone")
        except grpc.aio.AbortError:
            seen.append((context.done(), context.code()))
            caught.set()
        if then == "raise":
            raise ValueError("other")
        if then == "abort again":
            with pytest.raises(grpc.aio.UsageError):
                await context.abort(grpc.StatusCode.ABORTED, "again")
        return request

    async with connect(Ask=ask) as stub:
        error = await failure(stub.Ask(text("")))
        # A client over a socket may hear of the abort before the handler does.
        await asyncio.wait_for(caught.wait(), PATIENCE)
    assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "gone")
    assert seen == [(True, grpc.StatusCode.NOT_FOUND)]


async def test_a_response_of_the_wrong_type_is_unknown(connect):
    """A handler that returns no message fails its own call."""

    async def ask(_request, _context):
        return None

    async with connect(Ask=ask) as stub:
        error = await failure(stub.Ask(text("")))
    assert error.code() is grpc.StatusCode.UNKNOWN
    assert error.details().startswith("Unexpected <class 'TypeError'>: ")


async def test_a_failing_stream_gives_its_messages_first(connect):
    """Messages sent before an abort, an exception or a bad code are read before the error."""

    async def list_(request, context):
        for value in "abc":
            yield text(value)
        if request.value == "abort":
            await context.abort(grpc.StatusCode.NOT_FOUND, "after", (("t", "1"),))
        if request.value == "raise":
            raise ValueError("after")
        context.set_code(grpc.StatusCode.ABORTED)

    async with connect(List=list_) as stub:
        for value, code in (("abort", "NOT_FOUND"), ("raise", "UNKNOWN"), ("set", "ABORTED")):
            call = stub.List(text(value))
            assert [(await call.read()).value for _ in range(3)] == ["a", "b", "c"]
            for _ in range(2):
                assert (await failure(call.read())).code().name == code
            assert (await call.code()).name == code


async def test_unknown_methods_are_unimplemented(connect):
    """A method nobody registered is UNIMPLEMENTED with gRPC's own text."""
    async with connect() as stub:
        for awaitable in (stub.Nowhere(text("")), values(stub.List(text(""))), stub.Collect(iter([]))):
            error = await failure(awaitable)
            assert (error.code(), error.details()) == (grpc.StatusCode.UNIMPLEMENTED, "Method not found!")


async def test_generated_default_methods_are_unimplemented(connect):
    """The plain functions of a generated servicer base answer UNIMPLEMENTED."""

    def unimplemented(_request, context):
        context.set_code(grpc.StatusCode.UNIMPLEMENTED)
        context.set_details("Method not implemented!")
        raise NotImplementedError("Method not implemented!")

    async with connect(Ask=unimplemented, List=unimplemented) as stub:
        for awaitable in (stub.Ask(text("")), values(stub.List(text("")))):
            error = await failure(awaitable)
            assert error.code() is grpc.StatusCode.UNIMPLEMENTED
            assert error.details() == "Unexpected <class 'NotImplementedError'>: Method not implemented!"


async def test_call_credentials_need_a_secure_channel(connect):
    """Credentials are refused, never silently dropped."""

    async def ask(request, _context):
        return request

    async with connect(Ask=ask) as stub:
        with pytest.raises(grpc.aio.UsageError, match="secure channels"):
            stub.Ask(text(""), credentials=grpc.access_token_call_credentials("token"))
