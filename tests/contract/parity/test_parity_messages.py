"""Messages are copied: neither side ever sees the other's changes."""

import grpc
import pytest
from google.protobuf.message import DecodeError

from tests.support.transports import SERVICE, failure, text, values


async def test_a_handler_changes_its_own_copy_of_the_request(connect):
    """A change to the request in the handler is not seen by the client."""

    async def ask(request, _context):
        request.value = "changed"
        return request

    async with connect(Ask=ask) as stub:
        request = text("original")
        response = await stub.Ask(request)
    assert (request.value, response.value) == ("original", "changed")
    assert response is not request


async def test_a_handler_may_keep_and_change_what_it_returned(connect):
    """A response a handler holds on to does not change under its client."""
    kept = text("first")

    async def ask(_request, _context):
        return kept

    async with connect(Ask=ask) as stub:
        first = await stub.Ask(text(""))
        kept.value = "second"
        second = await stub.Ask(text(""))
    assert (first.value, second.value) == ("first", "second")


async def test_a_client_may_reuse_its_request_while_streaming(connect):
    """Messages written from one reused object arrive as they were when written."""

    async def chat(requests, _context):
        seen = await values(requests)
        for value in seen:
            yield text(value)

    async with connect(Chat=chat) as stub:
        call = stub.Chat()
        request = text("")
        for value in ("a", "b", "c"):
            request.value = value
            await call.write(request)
        await call.done_writing()
        assert await values(call) == ["a", "b", "c"]


async def test_a_handler_may_reuse_its_response_while_streaming(connect):
    """Messages yielded from one reused object arrive as they were when yielded."""

    async def list_(_request, _context):
        response = text("")
        for value in ("a", "b", "c"):
            response.value = value
            yield response

    async with connect(List=list_) as stub:
        assert await values(stub.List(text(""))) == ["a", "b", "c"]


async def test_awaiting_twice_gives_the_same_response(connect):
    """A finished call may be awaited again."""

    async def ask(request, _context):
        return request

    async with connect(Ask=ask) as stub:
        call = stub.Ask(text("x"))
        assert await call is await call


async def test_bytes_pass_without_serialisers(connect):
    """A method without serialisers carries bytes as they are."""

    async def ask(request, _context):
        return request

    async with connect(Ask=ask) as stub:
        raw = stub.channel.unary_unary(f"/{SERVICE}/Ask")
        assert await raw(text("x").SerializeToString()) == text("x").SerializeToString()


async def test_bytes_that_are_no_message_fail_the_call(connect):
    """A request the server cannot parse is UNKNOWN with the parser's error."""

    async def ask(request, _context):
        return request

    async with connect(Ask=ask) as stub:
        error = await failure(stub.channel.unary_unary(f"/{SERVICE}/Ask")(b"\xff\xff"))
    assert error.code() is grpc.StatusCode.UNKNOWN
    assert error.details().startswith(f"Unexpected {DecodeError}: ")


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 1_000_000])
async def test_sizes_around_the_window_pass_whole(connect, size):
    """An empty message and one larger than the flow control window both arrive."""

    async def chat(requests, _context):
        async for request in requests:
            yield request

    async with connect(Chat=chat) as stub:
        assert await values(stub.Chat(iter([text("x" * size)] * 3))) == ["x" * size] * 3
