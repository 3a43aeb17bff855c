"""Metadata: what may be sent, and how it looks on the other side."""

import grpc
import pytest

from tests.support.transports import failure, text, values

_ILLEGAL = [("Upper", "v"), ("k k", "v"), (":k", "v"), ("", "v"), ("k", "é"), ("k", "a\nb"), ("k", "\x00")]
_MIXED = (("a", "1"), ("b-bin", b"\x00\xff"), ("a", "2"), ("c", b"bytes"), ("d", " spaced "), ("e", ""))
_RECEIVED = (("a", "1"), ("a", "2"), ("b-bin", b"\x00\xff"), ("c", "bytes"), ("d", " spaced "), ("e", ""))


async def _echo(request, _context):
    return request


async def _echo_many(request, _context):
    yield request


def _of_the_caller(metadata):
    return tuple(pair for pair in metadata if pair[0] != "user-agent")


@pytest.mark.parametrize("shape", [tuple, list, lambda pairs: grpc.aio.Metadata(*pairs)])
async def test_invocation_metadata_arrives(connect, shape):
    """Values of -bin keys are bytes, others str; values of one key stand together, in order."""
    seen = []

    async def ask(request, context):
        seen.extend(context.invocation_metadata())
        return request

    async with connect(Ask=ask) as stub:
        await stub.Ask(text(""), metadata=shape(_MIXED))
    assert _of_the_caller(seen) == _RECEIVED
    assert [(pair.key, pair.value) for pair in _of_the_caller(seen)] == list(_RECEIVED)


async def test_no_metadata_is_no_metadata(connect):
    """Without metadata both sides see none."""
    seen = []

    async def ask(request, context):
        seen.extend(context.invocation_metadata())
        return request

    async with connect(Ask=ask) as stub:
        call = stub.Ask(text(""))
        await call
        assert await call.initial_metadata() == grpc.aio.Metadata()
        assert await call.trailing_metadata() == grpc.aio.Metadata()
    assert _of_the_caller(seen) == ()


@pytest.mark.parametrize("pair", _ILLEGAL, ids=repr)
async def test_a_unary_call_refuses_illegal_metadata(connect, pair):
    """Awaiting the call raises grpc.aio's InternalError, and the handler never runs."""
    ran = []

    async def ask(request, _context):
        ran.append(request)
        return request

    async with connect(Ask=ask) as stub:
        with pytest.raises(grpc.aio.InternalError):
            await stub.Ask(text(""), metadata=(pair,))
    assert not ran


@pytest.mark.parametrize("pair", _ILLEGAL, ids=repr)
async def test_streaming_calls_refuse_illegal_metadata(connect, pair):
    """A streaming call fails as INTERNAL."""

    async def collect(_requests, _context):
        return text("")

    async with connect(List=_echo_many, Collect=collect, Chat=_echo_many) as stub:
        for awaitable in (
            values(stub.List(text(""), metadata=(pair,))),
            stub.Collect(iter([text("")]), metadata=(pair,)),
            values(stub.Chat(iter([text("")]), metadata=(pair,))),
        ):
            error = await failure(awaitable)
            assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "Invalid metadata")


@pytest.mark.parametrize("pair", [("k", 3), ("b-bin", "text")], ids=repr)
async def test_values_of_the_wrong_type_are_type_errors(connect, pair):
    """A value that is neither str nor bytes, or text under a -bin key, is the caller's TypeError."""
    async with connect(Ask=_echo) as stub:
        with pytest.raises(TypeError):
            await stub.Ask(text(""), metadata=(pair,))


async def test_initial_and_trailing_metadata_reach_the_client(connect):
    """What a handler sends first and last is told apart and complete."""

    async def ask(request, context):
        await context.send_initial_metadata(_MIXED)
        context.set_trailing_metadata((("t", "1"), ("t-bin", b"\xfe")))
        assert context.trailing_metadata() == (("t", "1"), ("t-bin", b"\xfe"))
        return request

    async with connect(Ask=ask) as stub:
        call = stub.Ask(text(""))
        await call
        assert tuple(await call.initial_metadata()) == _RECEIVED
        assert tuple(await call.trailing_metadata()) == (("t", "1"), ("t-bin", b"\xfe"))


async def test_initial_metadata_comes_before_the_first_response(connect):
    """A streaming client can await the initial metadata and then read."""

    async def list_(request, context):
        await context.send_initial_metadata((("i", "1"),))
        yield request
        context.set_trailing_metadata([("t", "1")])

    async with connect(List=list_) as stub:
        call = stub.List(text("x"))
        await call.wait_for_connection()
        assert tuple(await call.initial_metadata()) == (("i", "1"),)
        assert await values(call) == ["x"]
        assert tuple(await call.trailing_metadata()) == (("t", "1"),)


async def test_initial_metadata_is_sent_once(connect):
    """Sending it twice, or after a response, is a UsageError in the handler."""

    async def list_(request, context):
        await context.send_initial_metadata(())
        with pytest.raises(grpc.aio.UsageError):
            await context.send_initial_metadata(())
        yield request

    async def chat(_requests, context):
        await context.write(text("y"))
        with pytest.raises(grpc.aio.UsageError):
            await context.send_initial_metadata(())

    async with connect(List=list_, Chat=chat) as stub:
        assert await values(stub.List(text("x"))) == ["x"]
        assert await values(stub.Chat(iter([]))) == ["y"]


@pytest.mark.parametrize("pair", _ILLEGAL, ids=repr)
async def test_illegal_initial_metadata_fails_the_call(connect, pair):
    """Initial metadata that cannot be sent is INTERNAL for the client and InternalError in the handler."""
    raised = []

    async def ask(request, context):
        try:
            await context.send_initial_metadata((pair,))
        except grpc.aio.InternalError as error:
            raised.append(error)
            raise
        return request

    async with connect(Ask=ask) as stub:
        error = await failure(stub.Ask(text("")))
    assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "Invalid metadata")
    assert raised


@pytest.mark.parametrize("pair", _ILLEGAL, ids=repr)
async def test_illegal_trailing_metadata_fails_the_call(connect, pair):
    """Trailing metadata that cannot be sent is INTERNAL, set or given to abort."""

    async def ask(request, context):
        if request.value:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no", (pair,))
        context.set_trailing_metadata((pair,))
        return request

    async with connect(Ask=ask) as stub:
        for value in ("", "abort"):
            error = await failure(stub.Ask(text(value)))
            assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "Invalid metadata")
            assert error.trailing_metadata() == grpc.aio.Metadata()


@pytest.mark.parametrize("pairs", [None, "abc", {"k": "v"}, (("k", 3),), ("k", "v"), (("k", "v", "w"),)], ids=repr)
async def test_trailing_metadata_that_is_no_pairs_is_a_type_error(connect, pairs):
    """The handler learns at once, where it sets them."""

    async def ask(request, context):
        with pytest.raises(TypeError):
            context.set_trailing_metadata(pairs)
        return request

    async with connect(Ask=ask) as stub:
        assert await stub.Ask(text("x")) == text("x")
