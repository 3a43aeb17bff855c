"""The demo provider as a `Transport`: a request in, an answer out, nothing on a socket.

Knows HTTP's status, headers and pieces; knows neither the engine nor what a format means.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping

from ingate.formats import Vendor
from ingate.providers.demo import failures, routes
from ingate.providers.demo.answers import Answer, Stamp
from ingate.providers.demo.fields import Fault, JsonObject, as_name, decode, maybe, must
from ingate.providers.demo.kept_responses import KeptResponses
from ingate.providers.demo.names import Manner, Roster, manner
from ingate.proxy.ports import FirstByteTimeout, Headers, OutboundRequest, Receiver, Truncated

LARGEST_BODY = 16 * 1024 * 1024
SILENCE_SECONDS = 5.0
"""How long `demo-timeout` is waited for, unless the provider's timeout is shorter: nobody learns more from minutes."""

Sleep = Callable[[float], Awaitable[None]]

_PLAIN = Manner()
_OWN = Roster()


class DemoResponse:
    """An answer read piece by piece; implements `UpstreamResponse`."""

    __slots__ = ("_cut", "_pieces", "headers", "length", "named", "status")

    def __init__(self, status: int, headers: Headers, pieces: Iterator[bytes], *, cut: bool = False) -> None:
        self.status = status
        self.headers = headers
        self.named: Mapping[bytes, bytes] = dict(headers)
        self.length: int | None = None  # what is not asked for is not made, and so not measured
        self._pieces = pieces
        self._cut = cut

    async def read(self, receiver: Receiver | None = None) -> bytes:  # noqa: ARG002 -- nothing arrives by itself
        """Returns the next piece, `b""` at the end and after `aclose`. Raises `Truncated` where the answer is cut."""
        piece = next(self._pieces, b"")
        if not piece and self._cut:
            raise Truncated("the demo model broke off")
        return piece

    def take(self) -> None:
        """Returns None: what is not asked for is not made."""

    async def aclose(self) -> None:
        """Forgets what was not read."""
        self._pieces = iter(())
        self._cut = False


class SlowResponse(DemoResponse):
    """An answer whose pieces take their time."""

    __slots__ = ("_seconds", "_sleep", "_then")

    def __init__(self, status: int, headers: Headers, pieces: Iterator[bytes], pace: Manner, sleep: Sleep) -> None:
        super().__init__(status, headers, pieces)
        self._seconds, self._then = pace.first_seconds, pace.piece_seconds
        self._sleep = sleep

    async def read(self, receiver: Receiver | None = None) -> bytes:
        """Returns the next piece when it is time."""
        await self._sleep(self._seconds)
        self._seconds = self._then
        return await super().read(receiver)


class DemoTransport:
    """Answers chat, embeddings and lists of models as OpenAI, Anthropic, Gemini and Ollama do.

    Implements `Transport`. The origin and credentials of a request are not looked at. `roster` has the models that are
    answered for. `clock` gives the Unix time in seconds for `created` fields; all else depends on the request, and on
    the response that it continues.
    """

    def __init__(
        self, roster: Roster = _OWN, clock: Callable[[], float] = time.time, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._roster = roster
        self._clock = clock
        self._sleep = sleep
        self._kept = KeptResponses()

    async def send(self, request: OutboundRequest) -> DemoResponse:
        """Returns the answer; what is wrong with the request is an answer too.

        Raises `FirstByteTimeout` for the model that never answers.
        """
        # Bytes that are no UTF-8 reach a target as lone surrogates, which no answer could quote.
        target = request.target.encode("utf-8", "replace").decode()
        digest = hashlib.sha256(f"{request.method} {target}\n".encode())
        body = request.body if len(request.body) <= LARGEST_BODY else b""  # which is refused for its size below
        digest.update(bytes(body))
        stamp = Stamp(digest.hexdigest(), int(self._clock()))
        names = {name.lower() for name, _ in request.headers}
        found = routes.find(target, names, self._roster, self._kept.of(request.account.org))
        vendor = found.vendor if isinstance(found, routes.Route) else found
        acts = _PLAIN
        try:
            answer, acts = self._answer(request, target, found, stamp)
        except Fault as fault:
            answer = failures.failed(vendor, fault, stamp)
        except RecursionError:
            # Decoding stopped short of the interpreter's stack, reading went over it.
            too_deep = Fault(400, "The request body is nested too deeply.", "invalid_json")
            answer = failures.failed(vendor, too_deep, stamp)
        headers = [(b"content-type", answer.content_type)]
        if (name := failures.REQUEST_ID_HEADERS.get(vendor)) is not None:
            headers.append((name, stamp.name("req_").encode()))
        if answer.status == 405 and isinstance(found, routes.Route):
            headers.append((b"allow", found.methods.encode()))
        if answer.status in failures.RETRIED:
            headers.append((b"retry-after", b"%d" % failures.RETRY_SECONDS))
        if acts.silent:
            await self._sleep(min(SILENCE_SECONDS, request.timeouts.first_byte))
            raise FirstByteTimeout("the demo model never answers")
        if acts.cut:
            return DemoResponse(answer.status, headers, iter(_half(answer.pieces)), cut=True)
        if acts.piece_seconds:
            return SlowResponse(answer.status, headers, iter(answer.pieces), acts, self._sleep)
        return DemoResponse(answer.status, headers, iter(answer.pieces))

    def _answer(
        self, request: OutboundRequest, target: str, found: routes.Route | Vendor, stamp: Stamp
    ) -> tuple[Answer, Manner]:
        path = target.partition("?")[0][:200]
        if isinstance(found, Vendor):
            raise Fault(404, f"Unknown request URL: {request.method[:20]} {path}.", "unknown_url")
        handle = found.handlers.get(request.method)
        if handle is None:
            raise Fault(405, f"Not allowed to {request.method[:20]} on {path}.", "method_not_allowed")
        if len(request.body) > LARGEST_BODY:
            raise Fault(413, f"The request body is larger than {LARGEST_BODY} bytes.", "request_too_large")
        asks = request.method == "POST"
        body: JsonObject = decode(bytes(request.body)) if asks else {}
        model = _model(found, body)
        if model and not self._roster.has(model):
            shown = model[:100]
            message = f"The model '{shown}' does not exist; the demo model is called demo, its embeddings demo-embed."
            raise Fault(404, message, "model_not_found", "model")
        acts = manner(model) if asks else _PLAIN
        if acts.status is not None:
            raise failures.always(acts.status, model)
        return handle(body, model, stamp), acts


def _model(found: routes.Route, body: JsonObject) -> str:
    if found.model is not None:
        return found.model
    return (maybe(as_name, body, "model") or found.otherwise) if found.otherwise else must(as_name, body, "model")


def _half(pieces: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Returns the first half of an answer."""
    if len(pieces) > 1:
        return pieces[: len(pieces) // 2]
    return tuple(piece[: len(piece) // 2] for piece in pieces)
