"""What of aiohttp and grpcio is used beyond their documented interfaces: a new minor version that changes it says so.

The versions that pyproject.toml allows are those for which this holds.
"""

import asyncio
import inspect
import tomllib
from importlib.metadata import version
from types import SimpleNamespace

import grpc.aio
import pytest
from aiohttp import StreamReader, web
from aiohttp.http import RawRequestMessage, StreamWriter
from aiohttp.streams import EMPTY_PAYLOAD
from multidict import CIMultiDict, CIMultiDictProxy

import rest_facade.request
from ingate.rpc.inprocess import calls, channel, context, multicallables, server
from rest_facade.request import Request, _Protocol
from tests.support.tools import ROOT

AIOHTTP, GRPC = f"aiohttp {version('aiohttp')}", f"grpcio {version('grpcio')}"
OURS = {
    grpc.aio.Channel: channel.InProcessChannel,
    grpc.aio.Server: server.InProcessServer,
    grpc.aio.ServicerContext: context.ServicerContext,
    grpc.aio.UnaryUnaryCall: calls.UnaryUnaryCall,
    grpc.aio.UnaryStreamCall: calls.UnaryStreamCall,
    grpc.aio.StreamUnaryCall: calls.StreamUnaryCall,
    grpc.aio.StreamStreamCall: calls.StreamStreamCall,
    grpc.aio.UnaryUnaryMultiCallable: multicallables.UnaryUnaryMultiCallable,
    grpc.aio.UnaryStreamMultiCallable: multicallables.UnaryStreamMultiCallable,
    grpc.aio.StreamUnaryMultiCallable: multicallables.StreamUnaryMultiCallable,
    grpc.aio.StreamStreamMultiCallable: multicallables.StreamStreamMultiCallable,
}
"""Abstract classes of grpc.aio, and the classes in ingate/rpc/inprocess that stand in for its own."""


def _parameters(function):
    return list(inspect.signature(function).parameters)


@pytest.mark.parametrize("theirs", OURS, ids=lambda theirs: theirs.__name__)
def test_what_stands_in_for_grpc_aio_has_all_of_it(theirs):
    """Each method of the abstract class is one of ours, abstract or not, and takes the same parameters."""
    ours = OURS[theirs]
    names = theirs.__abstractmethods__ | {name for name in dir(theirs) if not name.startswith("_")}
    for name in sorted(names):
        their, our = getattr(theirs, name), getattr(ours, name)
        assert our is not their, f"{GRPC}: {theirs.__name__}.{name} is not in {ours.__module__}"
        missing = [one for one in _parameters(their) if one not in _parameters(our)]
        assert not missing, f"{GRPC}: {theirs.__name__}.{name} takes {missing}, which {ours.__module__} does not"


def test_requests_of_aiohttp_are_made_as_ours_are():
    """By the parameters that rest_facade/request.py passes by their places, and the fields of a message."""
    parameters = _parameters(web.BaseRequest.__init__)
    expected = ["self", "message", "payload", "protocol", "payload_writer", "task", "loop"]
    assert parameters[: len(expected)] == expected, f"{AIOHTTP}: web.BaseRequest takes {parameters}"
    required = [
        name
        for name, one in inspect.signature(web.BaseRequest.__init__).parameters.items()
        if one.default is one.empty and name not in expected
    ]
    assert required == [], f"{AIOHTTP}: web.BaseRequest demands {required}"
    assert _parameters(StreamWriter.__init__)[:3] == ["self", "protocol", "loop"], f"{AIOHTTP}: StreamWriter"
    fields = {name for name in dir(RawRequestMessage) if not name.startswith("_")}
    ours = {"method", "path", "version", "headers", "raw_headers"}
    ours |= {"should_close", "compression", "upgrade", "chunked", "url"}
    assert fields == ours, f"{AIOHTTP}: RawRequestMessage has {fields ^ ours} or lacks it"
    assert isinstance(EMPTY_PAYLOAD, StreamReader), f"{AIOHTTP}: EMPTY_PAYLOAD is no stream"


class _Overheard:
    """A connection's protocol that notes which of its attributes aiohttp asks for and does not find."""

    def __init__(self, connection):
        self._own = _Protocol(connection)
        self.missed = connection.missed

    def __getattr__(self, name):
        try:
            return getattr(self._own, name)
        except AttributeError:
            self.missed.append(name)
            raise


class _Transport(asyncio.Transport):
    def __init__(self):
        super().__init__()
        self.sent = b""

    def write(self, data):
        self.sent += data

    def writelines(self, list_of_data):
        self.sent += b"".join(list_of_data)

    def is_closing(self):
        return False


@pytest.mark.parametrize("kind", ["whole", "streamed"])
async def test_aiohttp_finds_what_it_asks_a_connection_for(monkeypatch, kind):
    """A request is read and answered with no more of aiohttp's protocol than rest_facade/request.py imitates."""

    async def drained():
        pass

    async def read(limit, patience):
        return b'{"a":1}'

    monkeypatch.setattr(rest_facade.request, "_Protocol", _Overheard)
    transport, missed = _Transport(), []
    connection = SimpleNamespace(
        transport=transport, caller="10.0.0.1", writing_paused=False, drained=drained, missed=missed
    )
    headers = [(b"Host", b"gateway"), (b"Content-Type", b"application/json")]
    head = SimpleNamespace(
        method="POST",
        target="/a?b=c",
        version=1,
        headers=headers,
        fields=lambda: CIMultiDictProxy(CIMultiDict((name.decode(), value.decode()) for name, value in headers)),
        keep_alive=True,
        chunked=False,
        path="/a",
        query="b=c",
    )
    request = Request(connection, head, SimpleNamespace(read=read), "id")
    told = (request.method, request.path, request.query_string, request.host, request.remote, request.scheme)
    assert told == ("POST", "/a", "b=c", "gateway", "10.0.0.1", "http"), AIOHTTP
    assert (await request.json(), request.keep_alive, request.version) == ({"a": 1}, True, (1, 1)), AIOHTTP
    if kind == "whole":
        response = web.Response(body=b"hello")
        await response.prepare(request)
    else:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"hello")
    await response.write_eof()
    assert transport.sent.startswith(b"HTTP/1.1 200 OK\r\n"), AIOHTTP
    assert b"hello" in transport.sent, AIOHTTP
    assert missed == [], f"{AIOHTTP}: a connection is asked for {missed}"


def test_minor_versions_are_pinned():
    """Each of the two is allowed from one minor version to another, and what is installed is within."""
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for name in ("aiohttp", "grpcio", "grpcio-health-checking", "grpcio-reflection", "grpcio-status"):
        [stated] = [one for one in dependencies if one.startswith(f"{name}>=")]
        least, end = stated.removeprefix(f"{name}>=").split(",<")
        bounds = [tuple(map(int, bound.split("."))) for bound in (least, version(name), end)]
        assert len(bounds[0]) == len(bounds[2]) == 2, stated
        assert bounds[0] <= bounds[1] < bounds[2], stated
