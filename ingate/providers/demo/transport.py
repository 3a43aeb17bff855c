"""The demo provider as a `Transport`: a request in, an answer out, nothing on a socket.

Knows HTTP's status, headers and pieces; knows neither the engine nor what a format means.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping

from ingate.providers.demo import failures, routes
from ingate.providers.demo.answers import Answer, Stamp
from ingate.providers.demo.failures import Vendor
from ingate.providers.demo.fields import Fault, decode
from ingate.proxy.ports import Headers, OutboundRequest

LARGEST_BODY = 16 * 1024 * 1024


class DemoResponse:
    """An answer read piece by piece; implements `UpstreamResponse`."""

    __slots__ = ("_pieces", "headers", "length", "named", "status")

    def __init__(self, status: int, headers: Headers, pieces: Iterator[bytes]) -> None:
        self.status = status
        self.headers = headers
        self.named: Mapping[bytes, bytes] = dict(headers)
        self.length: int | None = None  # what is not asked for is not made, and so not measured
        self._pieces = pieces

    async def read(self) -> bytes:
        """Returns the next piece, `b""` at the end and after `aclose`. Never fails."""
        return next(self._pieces, b"")

    def take(self) -> None:
        """Returns None: what is not asked for is not made."""

    async def aclose(self) -> None:
        """Forgets what was not read."""
        self._pieces = iter(())


class DemoTransport:
    """Answers chat, embeddings and lists of models as OpenAI, Anthropic, Gemini and Ollama do.

    Implements `Transport`. The origin and credentials of a request are not looked at.
    `clock` gives the Unix time in seconds for `created` fields; all else depends on the request alone.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    async def send(self, request: OutboundRequest) -> DemoResponse:
        """Returns the answer; what is wrong with the request is an answer too. Never fails."""
        # Bytes that are no UTF-8 reach a target as lone surrogates, which no answer could quote.
        target = request.target.encode("utf-8", "replace").decode()
        digest = hashlib.sha256(f"{request.method} {target}\n".encode())
        body = request.body if len(request.body) <= LARGEST_BODY else b""  # which is refused for its size below
        digest.update(bytes(body))
        stamp = Stamp(digest.hexdigest(), int(self._clock()))
        found = routes.find(target, any(name.lower() == b"anthropic-version" for name, _ in request.headers))
        vendor = found.vendor if isinstance(found, routes.Route) else found
        try:
            answer = _answer(request, target, found, stamp)
        except Fault as fault:
            answer = failures.failed(vendor, fault, stamp)
        except RecursionError:
            # Decoding stopped short of the interpreter's stack, reading went over it.
            too_deep = Fault(400, "The request body is nested too deeply.", "invalid_json")
            answer = failures.failed(vendor, too_deep, stamp)
        headers = [(b"content-type", answer.content_type)]
        if vendor.request_id_header is not None:
            headers.append((vendor.request_id_header, stamp.name("req_").encode()))
        if answer.status == 405 and isinstance(found, routes.Route):
            headers.append((b"allow", found.method.encode()))
        return DemoResponse(answer.status, headers, iter(answer.pieces))


def _answer(request: OutboundRequest, target: str, found: routes.Route | Vendor, stamp: Stamp) -> Answer:
    path = target.partition("?")[0][:200]
    if isinstance(found, Vendor):
        raise Fault(404, f"Unknown request URL: {request.method[:20]} {path}.", "unknown_url")
    if request.method != found.method:
        raise Fault(405, f"Not allowed to {request.method[:20]} on {path}.", "method_not_allowed")
    if len(request.body) > LARGEST_BODY:
        raise Fault(413, f"The request body is larger than {LARGEST_BODY} bytes.", "request_too_large")
    return found.handle(decode(bytes(request.body)) if found.method == "POST" else {}, stamp)
