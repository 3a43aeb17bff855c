"""ProxyService: the engine for callers that speak gRPC."""

import re
from collections.abc import AsyncIterator
from typing import Any

from gen.ingate.proxy.v1 import proxy_service_pb2 as pb
from gen.ingate.proxy.v1 import proxy_service_pb2_grpc
from ingate.errors import BadRequest
from ingate.net.budget import BodyBudget, Lease
from ingate.proxy import request_target
from ingate.proxy.engine import Inbound
from ingate.proxy.request_head import read_head
from ingate.proxy.rpc_host import RpcHost, counted, key_holder
from ingate.rpc.interceptors.authenticate import credential

FORWARD = "/ingate.proxy.v1.ProxyService/Forward"
HEAD_BYTES = 1024 * 1024
"""Bytes that a request may have beside its body."""
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_VALUE = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")


class ProxyServicer(proxy_service_pb2_grpc.ProxyServiceServicer):
    """Hands calls to the engine as they are."""

    def __init__(self, host: RpcHost, bodies: BodyBudget, *, max_body: int) -> None:
        self._host = host
        self._bodies = bodies
        self._max_body = max_body

    async def Forward(self, request: pb.ForwardRequest, context: Any) -> AsyncIterator[pb.ForwardResponse]:
        """Streams the answer as started, chunks, ended."""
        caller = key_holder()
        metadata = {name: value for name, value in context.invocation_metadata() or () if isinstance(value, str)}
        lease = self._bodies.lease_for(caller.org_id)
        inbound = _inbound(request, metadata, caller.request_id, self._max_body, lease)
        # The body is out of it, and the exchange may last for minutes.
        del request
        hosted = self._host.run(inbound, lease)
        try:
            while (event := await hosted.next()) is not None:
                yield event
        finally:
            hosted.leave()


def _inbound(
    request: pb.ForwardRequest, metadata: dict[str, str], request_id: str, max_body: int, lease: Lease
) -> Inbound:
    """Returns what the engine is to forward, its body on the lease. Raises BadRequest."""
    path, _, query = request.target.partition("?")
    request_target.check(request.method, path, query)
    headers = []
    for index, header in enumerate(request.headers):
        try:
            pair = (header.name.lower().encode("ascii"), header.value.encode("latin-1"))
        except UnicodeEncodeError:
            pair = (b"", b"")
        if not _NAME.fullmatch(pair[0]) or not _VALUE.fullmatch(pair[1]):
            raise BadRequest.field(f"headers[{index}]", "is not an HTTP header")
        headers.append(pair)
    head = read_head(request.method, path, query, headers, credential(metadata) or "")
    refusal = counted(len(request.body), max_body, lease)
    body = b"" if refusal is not None else request.body

    async def read(_organisation: str) -> bytes:
        if refusal is not None:
            raise refusal
        return body

    return Inbound(request_id, head, read, metered=True)
