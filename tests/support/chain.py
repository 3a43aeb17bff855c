"""A real gRPC server behind the real stages, with servicers and an authenticator that tests command."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import grpc

from gen.ingate.access.v1 import access_pb2
from gen.ingate.keys.v1 import key_service_pb2 as keys_pb
from gen.ingate.keys.v1.key_service_pb2_grpc import KeyServiceStub
from ingate.errors import Unauthenticated
from ingate.limits.window import RateWindows
from ingate.rpc.connect import connect
from ingate.rpc.door import Door
from ingate.rpc.inprocess import InProcessServer
from ingate.rpc.interceptors.authenticate import credential
from ingate.rpc.interceptors.chain import chain
from ingate.rpc.interceptors.stages import stages
from ingate.rpc.interceptors.tenancy import Standing
from ingate.rpc.principal import Principal, principal
from ingate.rpc.server import start
from ingate.rpc.services import Rpc, rpcs, services

TRANSPORTS = ("inprocess", "socket")
TRANSPORT = "socket"
"""Over what `serving` serves; modules whose tests hold for both patch it by a fixture."""

GATEWAY_TOKEN = "gateway-token-for-tests"
AS_GATEWAY = (("x-ingate-gateway", GATEWAY_TOKEN),)
NOW = 1_800_000_030_000_000
ALL_SCOPES = frozenset(access_pb2.Scope.values()) - {0}

KEY = Principal(
    kind="key",
    org_id="org-1",
    key_id="key-1",
    role=access_pb2.ROLE_OWNER,
    scopes=ALL_SCOPES,
    plan="enterprise",
    rate_limit=1_000_000,
)
AS_KEY = (("x-ingate-key", "good"),)
PERSON = replace(KEY, kind="user", key_id="", user_id="user-1")
AS_PERSON = (("authorization", "Bearer person"),)


@dataclass
class Callers:
    """Knows callers by their secret, as an Authenticator; a caller that is an exception is raised."""

    known: dict[str, Principal | Exception] = field(default_factory=lambda: {"good": KEY, "person": PERSON})

    async def authenticate(self, metadata: dict[str, str]) -> Principal:
        caller = self.known.get(credential(metadata) or "")
        if caller is None:
            raise Unauthenticated("the credential is not valid")
        if isinstance(caller, Exception):
            raise caller
        return caller

    async def standing(self, user_id: str, org_id: str) -> Standing | None:
        """As Memberships: people belong to the organisation of their session alone."""
        return None


def scripted(service: str, **behaviours: Any) -> Any:
    """Returns a servicer whose rpcs run the given functions of request and context; the others are left out."""
    add = services()[service].add_to_server
    base = getattr(sys.modules[add.__module__], add.__name__.removeprefix("add_").removesuffix("_to_server"))
    return type("Scripted", (base,), {name: staticmethod(behaviour) for name, behaviour in behaviours.items()})()


def answering(service: str) -> Any:
    """Returns a servicer of that service which answers every rpc with an empty message."""

    def behaviour(rpc: Rpc) -> Any:
        async def one(_request: Any, _context: Any) -> Any:
            return rpc.response()

        async def many(_request: Any, _context: Any) -> Any:
            yield rpc.response()

        return many if rpc.server_streaming else one

    return scripted(service, **{rpc.name: behaviour(rpc) for rpc in services()[service].rpcs})


class LastCaller:
    """Answers `ListKeys` and keeps in `caller` the Principal that called it last."""

    caller: Principal

    async def list_keys(self, _request: Any, _context: Any) -> keys_pb.ListKeysResponse:
        """The behaviour for `scripted`."""
        self.caller = principal()
        return keys_pb.ListKeysResponse()


def list_keys(channel: grpc.aio.Channel, metadata: Any) -> Any:
    """Begins a call of `ListKeys`, and returns it running."""
    return KeyServiceStub(channel).ListKeys(keys_pb.ListKeysRequest(), metadata=metadata)


@asynccontextmanager
async def serving(
    servicers: Mapping[str, Any],
    *,
    callers: Callers | None = None,
    windows: RateWindows | None = None,
    address: str = "127.0.0.1:0",
    table: Mapping[str, Rpc] | None = None,
    door: Door | None = None,
) -> AsyncIterator[tuple[Any, Any]]:
    """Yields a channel to a server of the servicers, and the RpcServer where it is one."""
    callers = callers or Callers()
    door = (door or Door()) if TRANSPORT == "socket" else None
    interceptor = chain(
        stages(
            callers,
            callers,
            gateway_token=GATEWAY_TOKEN,
            windows=RateWindows() if windows is None else windows,
            now=lambda: NOW,
            door=door,
        ),
        rpcs() if table is None else table,
        gateway_token=GATEWAY_TOKEN,
        door=door,
    )
    if TRANSPORT == "inprocess":
        local = InProcessServer(interceptors=[interceptor])
        for name, servicer in servicers.items():
            services()[name].add_to_server(servicer, local)
        yield local.channel(), None
        await local.stop(0)
        return
    server = await start(address, servicers, interceptors=[interceptor], door=door)
    try:
        async with connect(server.target) as channel:
            yield channel, server
    finally:
        await server.stop(0)


async def call(channel: grpc.aio.Channel, rpc: Rpc, request: Any = None, metadata: Any = ()) -> grpc.StatusCode:
    """Calls any rpc, reads all of its answer and returns the code that it ended with."""
    make = channel.unary_stream if rpc.server_streaming else channel.unary_unary
    method = make(
        rpc.path,
        request_serializer=rpc.request.SerializeToString,
        response_deserializer=rpc.response.FromString,
    )
    running = method(request or rpc.request(), metadata=tuple(metadata), timeout=10)
    try:
        if rpc.server_streaming:
            async for _ in running:
                pass
        else:
            await running
    except grpc.aio.AioRpcError as error:
        return error.code()
    return await running.code()
