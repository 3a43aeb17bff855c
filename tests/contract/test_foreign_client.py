"""A client that is not ours: pytest-grpc's own synchronous channel, over the real server on a thread of its own."""

import asyncio
import threading
from contextlib import AsyncExitStack

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from gen.ingate.auth.v1 import auth_service_pb2 as pb
from gen.ingate.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from gen.ingate.gateway.v1.gateway_service_pb2 import WatchRequest
from gen.ingate.gateway.v1.gateway_service_pb2_grpc import GatewayServiceStub
from gen.ingate.keys.v1.key_service_pb2 import CreateKeyRequest
from gen.ingate.keys.v1.key_service_pb2_grpc import KeyServiceStub
from ingate.core import open_core
from tests.support.tenants import PASSWORD, signup_request, via_gateway


class ServerThread:
    """A grpc.aio server, driven by the calls that pytest-grpc makes of a synchronous one."""

    def __init__(self, loop, interceptors):
        self._loop = loop
        self._server = self.run(self._make(interceptors))

    @staticmethod
    async def _make(interceptors):
        return grpc.aio.server(interceptors=interceptors)

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def add_generic_rpc_handlers(self, handlers):
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service, handlers):
        self._server.add_registered_method_handlers(service, handlers)

    def add_insecure_port(self, address):
        return self._server.add_insecure_port(address)

    def start(self):
        self.run(self._server.start())

    def stop(self, grace):
        self.run(self._server.stop(grace))


@pytest.fixture(scope="module")
def loop():
    """An event loop that runs on another thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="grpc-server")
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(30)
    loop.close()


@pytest.fixture(scope="module")
def core(loop, settings):
    stack = AsyncExitStack()
    opened = asyncio.run_coroutine_threadsafe(stack.enter_async_context(open_core(settings)), loop).result(30)
    yield opened
    asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(30)


@pytest.fixture(scope="module")
def _grpc_server(loop, grpc_interceptors):
    return ServerThread(loop, grpc_interceptors)


@pytest.fixture(scope="module")
def grpc_addr(tmp_path_factory):
    """A unix socket: the plugin's own fixture leaks the one that it finds a port with."""
    return f"unix:{tmp_path_factory.mktemp('s')}/core"


@pytest.fixture(scope="module")
def grpc_channel(grpc_create_channel):
    """The plugin's channel, in the place of ours."""
    with grpc_create_channel() as channel:
        yield channel


@pytest.fixture(scope="module")
def grpc_stub_cls():
    return AuthServiceStub


def test_it_signs_up_and_in(grpc_stub, via):
    """Messages, metadata and credentials mean the same to it."""
    request = signup_request()
    answer = grpc_stub.Signup(request, metadata=via)
    session = grpc_stub.Login(pb.LoginRequest(email=request.email, password=PASSWORD), metadata=via)
    me = grpc_stub.Me(pb.MeRequest(), metadata=(("authorization", f"Bearer {session.token}"),), timeout=10)
    assert (me.user, me.org) == (answer.user, answer.org)


def test_it_reads_a_refusal_with_the_standard_library(grpc_stub, via):
    """The status has its details as grpc-status reads them."""
    with pytest.raises(grpc.RpcError) as caught:
        grpc_stub.Signup(signup_request(email="nobody"), metadata=via)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    details = rpc_status.from_call(caught.value).details
    assert any(detail.Unpack(info) for detail in details)
    assert any(detail.Unpack(bad) for detail in details)
    assert (info.reason, info.domain, bad.field_violations[0].field) == ("BAD_REQUEST", "ingate", "email")


def test_it_follows_a_stream_and_leaves(grpc_stub, grpc_channel, core):
    """News come as they happen, between calls of the same channel, and a cancelled stream ends."""
    via = via_gateway(core.gateway_token)
    answer = grpc_stub.Signup(signup_request(), metadata=via)
    news = GatewayServiceStub(grpc_channel).Watch(WatchRequest(), metadata=via[:1], timeout=30)
    assert not next(news).org_ids
    owner = (("authorization", f"Bearer {answer.token}"),)
    with pytest.raises(grpc.RpcError):
        KeyServiceStub(grpc_channel).CreateKey(CreateKeyRequest(name=""), metadata=owner)
    KeyServiceStub(grpc_channel).CreateKey(CreateKeyRequest(name="k"), metadata=owner)
    assert answer.org.id in next(news).org_ids
    news.cancel()
    with pytest.raises(grpc.RpcError) as caught:
        next(news)
    assert caught.value.code() is grpc.StatusCode.CANCELLED
