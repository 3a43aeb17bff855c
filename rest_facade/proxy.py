"""The HTTP host of the proxy engine: what comes in by an ingress goes to a provider.

Knows the engine and requests as they are on the wire; nothing of providers, formats or rpcs.
"""

from collections.abc import Awaitable
from functools import partial
from typing import cast

from ingate.errors import NotOffered
from ingate.proxy import request_target
from ingate.proxy.engine import Engine, Inbound
from ingate.proxy.request_head import RequestHead, read_head
from ingate.proxy.uploads import Uploads
from rest_facade import failures
from rest_facade.dialects.base import NoCredential
from rest_facade.failures import Refused
from rest_facade.http1 import Body, Head
from rest_facade.proxying import ProxyHandler, Proxying
from rest_facade.sink import HttpSink

_WEBSOCKET = b"websocket"


def proxy_handler(engine: Engine, *, max_body: int, patience: float) -> ProxyHandler:
    """Returns the handler. Bodies are read up to `max_body` bytes, waiting `patience` seconds for more."""

    def handle(request_id: str, head: Head, body: Body, sink: HttpSink) -> Awaitable[None]:
        asked = head.asked or _asked(head, engine.uploads)
        return engine.forward(Inbound(request_id, asked, partial(body.read, max_body, patience)), sink)

    return handle


def _asked(head: Head, uploads: Uploads) -> RequestHead:
    if head.shared is not None:
        return (head.shared.asked or _asked(head.shared, uploads)).differing(head.own)
    if any(name == b"upgrade" and _WEBSOCKET in value.lower() for name, value in head.headers):
        raise NotOffered("WebSockets are not carried yet: use the HTTP API of the same model")
    # The handler is given to nobody else.
    ingress = cast("Proxying", head.owner).ingress
    path = head.path
    if ingress.prefix:
        path = path.removeprefix(ingress.prefix) or "/"
        if path == head.path or not path.startswith("/"):
            # The prefix is spelt otherwise, and where it ends is not for two to guess.
            raise Refused(failures.route_not_found())
    request_target.check(head.method, path, head.query)
    try:
        secret = ingress.key(head.fields(), head.query)
        headers = [pair for pair in head.headers if pair[0] not in ingress.drops] if ingress.drops else head.headers
        asked = read_head(head.method, path, head.query, headers, secret)
    except NoCredential:
        begun = uploads.begun(head.path, head.query)
        if begun is None:
            raise
        asked = read_head(head.method, head.path, head.query, head.headers, "")
        asked.digest, asked.named = begun.digest, begun.provider
    if ingress.provider is not None:
        asked.only, asked.named = ingress.provider, ingress.provider.name
        asked.lacks = ingress.lacks(head.fields())
    head.asked = asked
    return asked
