"""What only the in-process transport does: its registry, its end, and where it is kinder than a socket."""

import asyncio
import gc
import weakref

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ingate.rpc.inprocess import InProcessServer
from tests.support.transports import SERVICE, TRANSPORTS, Stub, add_to_server, failure, text, values
from tests.support.waiting import PATIENCE

_connect = TRANSPORTS["inprocess"]


async def _echo(request, _context):
    return request


class Endless:
    """A stream whose producer records its end."""

    def __init__(self):
        self.started = asyncio.Event()
        self.cleaned = asyncio.Event()

    async def list(self, request, _context):
        try:
            self.started.set()
            while True:
                yield request
        finally:
            self.cleaned.set()


async def test_generated_code_registers_and_calls():
    """A generated servicer and stub work unchanged, the methods it lacks included."""

    class Health(health_pb2_grpc.HealthServicer):
        async def Check(self, _request, _context):  # noqa: N802 -- gRPC names the methods
            return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)

    server = InProcessServer()
    health_pb2_grpc.add_HealthServicer_to_server(Health(), server)
    await server.start()
    stub = health_pb2_grpc.HealthStub(server.channel())
    response = await stub.Check(health_pb2.HealthCheckRequest())
    assert response.status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.Watch(health_pb2.HealthCheckRequest()).read()
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_the_types_are_grpcs_own():
    """Server, channel and calls are what code written for grpc.aio checks for."""
    async with _connect(Ask=_echo) as stub:
        assert isinstance(InProcessServer(), grpc.aio.Server)
        assert isinstance(stub.channel, grpc.aio.Channel)
        assert isinstance(stub.Ask, grpc.aio.UnaryUnaryMultiCallable)
        call = stub.Ask(text(""))
        assert isinstance(call, grpc.aio.UnaryUnaryCall)
        await call


async def test_the_channel_is_ready_until_it_is_closed():
    """There is nothing to connect; closing is the only change of state."""
    channel = InProcessServer().channel()
    await channel.channel_ready()
    assert channel.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY
    change = asyncio.create_task(channel.wait_for_state_change(grpc.ChannelConnectivity.READY))
    await channel.close()
    await asyncio.wait_for(change, PATIENCE)
    await channel.wait_for_state_change(grpc.ChannelConnectivity.READY)


async def test_the_peer_is_this_process():
    """A handler can tell an in-process call by its peer."""

    async def ask(_request, context):
        return text(context.peer())

    async with _connect(Ask=ask) as stub:
        assert (await stub.Ask(text(""))).value == "inproc"


async def test_a_server_has_no_ports():
    """Opening a port is refused."""
    server = InProcessServer()
    with pytest.raises(RuntimeError, match="in-process"):
        server.add_insecure_port("127.0.0.1:0")
    with pytest.raises(RuntimeError, match="in-process"):
        server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(b"", b"")]))


def test_interceptors_are_checked():
    """Anything but a ServerInterceptor is refused at once."""
    with pytest.raises(ValueError, match="ServerInterceptor"):
        InProcessServer(interceptors=[object()])


async def test_registered_handlers_go_before_generic_ones():
    """With both, the registered one serves."""

    async def registered(_request, _context):
        return text("registered")

    server = InProcessServer()
    add_to_server({"Ask": _echo}, server)
    server.add_registered_method_handlers(
        SERVICE,
        {
            "Ask": grpc.unary_unary_rpc_method_handler(
                registered, response_serializer=lambda message: message.SerializeToString()
            )
        },
    )
    assert (await Stub(server.channel()).Ask(text("generic"))).value == "registered"


async def test_stopping_ends_calls_and_refuses_new_ones():
    """Running calls are UNAVAILABLE and their handlers cancelled when stop returns; later calls are UNAVAILABLE."""
    endless = Endless()
    server = InProcessServer()
    add_to_server({"List": endless.list, "Ask": _echo}, server)
    stub = Stub(server.channel())
    call = stub.List(text("x" * 70_000))
    await call.read()
    termination = asyncio.create_task(server.wait_for_termination())
    await server.stop(None)
    assert endless.cleaned.is_set()
    assert await asyncio.wait_for(termination, PATIENCE) is False
    assert (await failure(call.read())).code() is grpc.StatusCode.UNAVAILABLE
    assert (await failure(stub.Ask(text("")))).code() is grpc.StatusCode.UNAVAILABLE
    await server.stop(None)


async def test_stopping_with_grace_lets_calls_end():
    """A call that ends within the grace period succeeds."""
    started, release = asyncio.Event(), asyncio.Event()

    async def ask(request, _context):
        started.set()
        await release.wait()
        return request

    server = InProcessServer()
    add_to_server({"Ask": ask}, server)
    call = Stub(server.channel()).Ask(text("x"))
    await started.wait()
    stopping = asyncio.create_task(server.stop(5))
    release.set()
    await stopping
    assert (await call).value == "x"


async def test_waiting_for_termination_may_time_out():
    """True means that the time passed first."""
    assert await InProcessServer().wait_for_termination(0.01) is True


@pytest.mark.parametrize("streams", [False, True])
async def test_a_handler_that_cancels_itself_does_not_leave_its_client_waiting(streams):
    """A CancelledError of the handler's own making is CANCELLED for the client, which was not cancelled itself."""

    async def ask(_request, _context):
        raise asyncio.CancelledError

    async def list_(request, _context):
        yield request
        raise asyncio.CancelledError

    async with _connect(Ask=ask, List=list_) as stub:
        error = await failure(values(stub.List(text(""))) if streams else stub.Ask(text("")))
    assert error.code() is grpc.StatusCode.CANCELLED


async def test_aborting_with_ok_is_unknown():
    """An abort is never a success without a response."""

    async def ask(_request, context):
        await context.abort(grpc.StatusCode.OK, "fine?")

    async with _connect(Ask=ask) as stub:
        error = await failure(stub.Ask(text("")))
    assert (error.code(), error.details()) == (grpc.StatusCode.UNKNOWN, "fine?")


@pytest.mark.parametrize("trailing", [[("k", "v")], {"k": "v"}, None, grpc.aio.Metadata(("k", "v"))], ids=repr)
async def test_abort_takes_a_tuple_only(trailing):
    """As in grpc.aio, other collections of trailing metadata are a TypeError."""

    async def ask(_request, context):
        await context.abort(grpc.StatusCode.NOT_FOUND, "no", trailing)

    async with _connect(Ask=ask) as stub:
        error = await failure(stub.Ask(text("")))
    assert error.code() is grpc.StatusCode.UNKNOWN
    assert "expected tuple" in error.details()


@pytest.mark.parametrize("aborts", [False, True])
async def test_text_under_a_binary_key_fails_the_call(aborts):
    """Trailing metadata of the wrong type is told to the client, metadata dropped."""
    trailing = (("k-bin", "text"),)

    async def ask(request, context):
        if aborts:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no", trailing)
        context.set_trailing_metadata(trailing)
        return request

    async with _connect(Ask=ask) as stub:
        error = await failure(stub.Ask(text("")))
    assert "Binary metadata" in error.details()
    assert error.trailing_metadata() == grpc.aio.Metadata()


async def test_a_stub_that_disagrees_about_streaming_is_internal():
    """A unary call of a streaming method fails, and does not wait for ever."""
    endless = Endless()
    async with _connect(List=endless.list) as stub:
        error = await failure(stub.channel.unary_unary(f"/{SERVICE}/List")(b""))
    assert error.code() is grpc.StatusCode.INTERNAL


async def test_a_request_that_is_no_message_is_a_type_error():
    """A caller's mistake is told to the caller."""
    async with _connect(Ask=_echo) as stub:
        with pytest.raises(TypeError):
            stub.Ask("not a message")
        with pytest.raises(TypeError):
            stub.channel.unary_unary(f"/{SERVICE}/Ask")("not bytes")


@pytest.mark.parametrize("callback", [False, True])
async def test_a_dropped_stream_ends_its_producer(callback):
    """A consumer that breaks out and forgets the call ends the producer, its cleanup included."""
    endless = Endless()
    async with _connect(List=endless.list) as stub:

        async def take_one():
            call = stub.List(text("x" * 70_000))
            if callback:
                call.add_done_callback(print)
            async for message in call:
                assert message
                break

        await take_one()
        await asyncio.wait_for(endless.cleaned.wait(), PATIENCE)


async def test_a_dropped_chat_ends_its_sender_too():
    """The client's own request iterator is closed with the call."""
    closed = asyncio.Event()

    async def requests():
        try:
            yield text("x")
            await asyncio.Event().wait()
        finally:
            closed.set()

    async def chat(incoming, _context):
        async for request in incoming:
            yield request

    async with _connect(Chat=chat) as stub:

        async def take_one():
            async for message in stub.Chat(requests()):
                assert message
                break

        await take_one()
        await asyncio.wait_for(closed.wait(), PATIENCE)


async def test_a_dropped_unary_call_runs_on():
    """A unary call nobody awaits is served all the same, and its callback called."""
    done = asyncio.get_running_loop().create_future()

    async def ask(request, _context):
        await asyncio.sleep(0)
        return request

    async with _connect(Ask=ask) as stub:
        stub.Ask(text("x")).add_done_callback(done.set_result)
        assert (await (await asyncio.wait_for(done, PATIENCE))).value == "x"


async def test_a_finished_call_leaves_nothing_behind():
    """Neither server nor channel holds on to a call, good or bad, and none is left to the cycle collector."""

    async def ask(request, _context):
        if request.value:
            raise ValueError(request.value)
        return request

    server = InProcessServer()
    add_to_server({"Ask": ask}, server)
    channel = server.channel()
    stub = Stub(channel)
    gc.disable()
    try:
        call = stub.Ask(text(""), timeout=1000)
        await call
        exchange = weakref.ref(call)
        del call
        assert exchange() is None
    finally:
        gc.enable()
    await failure(stub.Ask(text("boom")))
    await asyncio.sleep(0)
    assert not server._serving
    assert not channel._live


async def test_polling_for_the_status_does_not_accumulate():
    """Waiters that give up are forgotten."""
    release = asyncio.Event()

    async def ask(request, _context):
        await release.wait()
        return request

    async with _connect(Ask=ask) as stub:
        call = stub.Ask(text(""))
        for _ in range(50):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(call.code(), 0.001)
        assert not call._exchange._waiters
        release.set()
        await call


async def test_a_refused_call_keeps_no_timer():
    """A call that never began has no deadline to wait for."""
    async with _connect(Ask=_echo) as stub:
        call = stub.Ask(text(""), metadata=(("Upper", "v"),), timeout=1000)
        assert call._exchange._timer is None
        assert (await call.code(), await call.details()) == (grpc.StatusCode.INTERNAL, "Invalid metadata")


async def test_many_calls_at_once():
    """A thousand calls in flight, each with its own answer, deadline and metadata."""

    async def ask(request, context):
        await asyncio.sleep(0)
        context.set_trailing_metadata((("n", request.value),))
        return request

    async with _connect(Ask=ask) as stub:
        calls = [stub.Ask(text(str(n)), timeout=60) for n in range(1000)]
        assert [(await call).value for call in calls] == [str(n) for n in range(1000)]
        assert [(await call.trailing_metadata())["n"] for call in calls] == [str(n) for n in range(1000)]
