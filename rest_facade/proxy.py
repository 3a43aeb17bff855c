"""The HTTP host of the proxy engine: what no dialect claims goes to a provider.

Knows the engine and requests as they are on the wire; nothing of providers, formats or rpcs.
"""

from collections.abc import Awaitable
from functools import partial
from urllib.parse import parse_qsl

from ingate import vendor_keys
from ingate.errors import BadRequest, NotOffered, Unauthenticated
from ingate.ids import KEY_PREFIX, KEY_PREFIXES, SESSION_PREFIX
from ingate.proxy import request_target
from ingate.proxy.engine import Engine, Inbound
from ingate.proxy.request_head import RequestHead, read_head
from ingate.proxy.uploads import Uploads
from rest_facade.app import NoCredential, ProxyHandler
from rest_facade.http1 import Body, Head
from rest_facade.sink import HttpSink

_KEY_HEADER = b"x-ingate-key"
_SDK_HEADERS = frozenset(name.encode() for name in vendor_keys.HEADERS)
_KEY_PREFIXES = tuple(prefix.encode() for prefix in KEY_PREFIXES)
_BEARER = b"bearer "
_QUERY_KEY = "key"
"""Where Google's clients may send theirs."""
_WEBSOCKET = b"websocket"
MISSING = (
    f"send a key of the gateway, which begins with {KEY_PREFIX}, in X-Ingate-Key or as your SDK's API key: an owner"
    " makes one with POST /api/v1/keys or `ingate keys create`"
)


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
    request_target.check(head.method, head.path, head.query)
    try:
        asked = read_head(head.method, head.path, head.query, head.headers, _credential(head))
    except NoCredential:
        begun = uploads.begun(head.path, head.query)
        if begun is None:
            raise
        asked = read_head(head.method, head.path, head.query, head.headers, "")
        asked.digest, asked.named = begun.digest, begun.provider
    head.asked = asked
    return asked


def _credential(head: Head) -> str:
    """Returns the Ingate key of a request.

    Without `x-ingate-key`, the headers in which SDKs send their key may hold it; beside it, they are a provider's.
    """
    stated = {value for name, value in head.headers if name == _KEY_HEADER and value}
    others = []
    if not stated:
        for name, value in head.headers:
            if name in _SDK_HEADERS:
                token = value[len(_BEARER) :].strip() if value[: len(_BEARER)].lower() == _BEARER else value
                if token.startswith(_KEY_PREFIXES):
                    stated.add(token)
                elif token.startswith(SESSION_PREFIX.encode()):
                    raise Unauthenticated("a session cannot call providers: send a key in X-Ingate-Key")
                else:
                    others.append(token.decode("latin-1"))
    if not stated:
        in_query = (value for name, value in parse_qsl(head.query) if name == _QUERY_KEY)
        raise NoCredential(vendor_keys.advice((*others, *in_query)) or MISSING)
    if len(stated) > 1:
        raise BadRequest("the request carries keys that contradict each other")
    [key] = stated
    if not key.startswith(_KEY_PREFIXES) and (advice := vendor_keys.advice((key.decode("latin-1"),))):
        raise Unauthenticated(advice)
    return key.decode("latin-1")
