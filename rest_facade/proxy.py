"""The HTTP host of the proxy engine: what no dialect claims goes to a provider.

Knows the engine and aiohttp's requests; nothing of providers, formats or rpcs. Failures are put into words by the
dialect that it is given.
"""

from aiohttp import web

from ingate.errors import BadRequest, Unauthenticated
from ingate.ids import KEY_PREFIX, SESSION_PREFIX
from ingate.proxy import request_target
from ingate.proxy.engine import Engine, Inbound
from ingate.proxy.ports import ClientGone, Headers
from rest_facade.answers import failure_of, refuse
from rest_facade.app import ProxyHandler, split_target
from rest_facade.body import read_body
from rest_facade.dialects.base import Dialect
from rest_facade.failures import REQUEST_TIMEOUT, Refused
from rest_facade.middleware import REQUEST_ID, common_lines
from rest_facade.sink import HttpSink, Written

_KEY_HEADER = b"x-ingate-key"
_SDK_HEADERS = frozenset({b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key"})
_KEY_PREFIXES = (KEY_PREFIX.encode(), b"ing_")
_BEARER = b"bearer "
_ID_LINE = REQUEST_ID.encode() + b": "
_common = common_lines()


class _Late(BadRequest):
    """The body does not arrive; the facade's refusal as the engine can record it."""

    reason = REQUEST_TIMEOUT


def proxy_handler(engine: Engine, dialect: Dialect, *, max_body: int, patience: float) -> ProxyHandler:
    """Returns the handler. Bodies are read up to `max_body` bytes, waiting `patience` seconds for more."""

    async def handle(request: web.BaseRequest, request_id: str) -> web.StreamResponse:
        sink = HttpSink(request, _common + _ID_LINE + request_id.encode() + b"\r\n")
        try:
            await engine.forward(_inbound(request, request_id, max_body, patience), sink)
        except ConnectionError:
            sink.abort()
        except Exception as error:  # noqa: BLE001 -- every failure is answered, and logged where it is ours
            failure = failure_of(error, request_id, "proxy")
            if not sink.started:
                return refuse(dialect, request, request_id, failure, more=sink.rate_pairs())
            sink.abort()
        return Written(keep_alive=sink.keep_alive and request.content.is_eof())

    return handle


def _inbound(request: web.BaseRequest, request_id: str, max_body: int, patience: float) -> Inbound:
    path, query = split_target(request.raw_path)
    request_target.check(request.method, path, query)

    async def read() -> bytes:
        try:
            return await read_body(request, max_body, patience)
        except ConnectionError:
            raise ClientGone from None
        except Refused as refusal:
            raise _Late(refusal.failure.message) from None

    headers: Headers = [(name.lower(), value) for name, value in request.raw_headers]
    return Inbound(
        request_id,
        request.method,
        path,
        query,
        headers,
        _credential(headers),
        read,
    )


def _credential(headers: Headers) -> str:
    """Returns the Ingate key of a request.

    Without `x-ingate-key`, the headers in which SDKs send their key may hold it; beside it, they are a provider's.
    """
    stated = {value for name, value in headers if name == _KEY_HEADER}
    if not stated:
        for name, value in headers:
            if name in _SDK_HEADERS:
                token = value[len(_BEARER) :].strip() if value[: len(_BEARER)].lower() == _BEARER else value
                if token.startswith(_KEY_PREFIXES):
                    stated.add(token)
                elif token.startswith(SESSION_PREFIX.encode()):
                    raise Unauthenticated("a session cannot call providers: send a key in X-Ingate-Key")
    if not stated:
        raise Unauthenticated("send an Ingate key in X-Ingate-Key, or as your SDK's API key")
    if len(stated) > 1:
        raise BadRequest("the request carries keys that contradict each other")
    return stated.pop().decode("latin-1")
