"""Answers of which nothing was sent yet. Up to the first byte, another provider can still be tried.

`ingate.proxy.relay` sends them. Knows no caller.
"""

import time
from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

from ingate.proxy.open_exchange import OpenExchange
from ingate.proxy.ports import BODILESS, BadResponse, Headers, UpstreamResponse
from ingate.remembered import Remembered

WHOLE_LIMIT = 64 * 1024
"""Bytes of the longest answer that is read whole before it is sent; longer ones are relayed piece by piece."""
STREAM_TYPES = (
    "text/event-stream",
    "application/x-ndjson",
    "application/stream+json",
    "application/json-seq",
    "application/vnd.amazon.eventstream",
)


class Answer(Struct):
    """A provider's answer, or the gateway's own, with `extra` headers.

    `whole` is the complete body, whose response is closed. Where `whole` is None, `first` is the first piece of the
    body, empty where there is no body.
    """

    response: UpstreamResponse
    extra: Headers
    whole: bytes | None = None
    first: bytes = b""


class Answerer(Protocol):
    """What may answer in a provider's place."""

    def question(self, exchange: OpenExchange) -> Any | None:
        """Returns the question that an exchange asks, None where it is for providers. Called for every exchange."""

    async def answer(self, question: Any, exchange: OpenExchange) -> Answer | None:
        """Returns the answer, None where a provider must answer after all. Raises a DomainError."""


async def opened(
    exchange: OpenExchange, response: UpstreamResponse, extra: Headers, waiting: Callable[[], None]
) -> Answer:
    """Returns the answer of a response, and notes its head in the exchange. Raises UpstreamError.

    `waiting` is called before the first wait for the body.
    """
    named = response.named
    exchange.media_type, exchange.stream = _media[named.get(b"content-type", b"")]
    exchange.status = response.status
    exchange.response_headers = response.headers
    if encoding := named.get(b"content-encoding"):
        exchange.response_encoding = encoding.decode("latin-1")
    if not (exchange.stream or is_bodiless(exchange, response)) and (body := response.take()) is not None:
        if body:
            exchange.first_byte = time.perf_counter()
            exchange.response_body.append(body)
        return Answer(response, extra, body)
    waiting()
    try:
        # The length is that of the framing, which a Content-Length header may contradict.
        if response.length is None or response.length > WHOLE_LIMIT or exchange.stream:
            first = await response.read()
            if first:
                exchange.first_byte = time.perf_counter()
            return Answer(response, extra, first=first)
        whole = await _gathered(exchange, response)
    except BaseException:
        await response.aclose()
        raise
    await response.aclose()
    return Answer(response, extra, whole)


def is_bodiless(exchange: OpenExchange, response: UpstreamResponse) -> bool:
    """Tells whether an answer has no body, whatever it announces."""
    return exchange.head.method == "HEAD" or response.status in BODILESS


async def _gathered(exchange: OpenExchange, response: UpstreamResponse) -> bytes:
    """Reads a whole body, and keeps each piece for the record as it comes."""
    pieces = exchange.response_body
    size = 0
    while chunk := await response.read():
        if not pieces:
            exchange.first_byte = time.perf_counter()
        pieces.append(chunk)
        size += len(chunk)
        if size > WHOLE_LIMIT:
            raise BadResponse("more came than was announced")
    return b"".join(pieces)


def _kind(content_type: bytes) -> tuple[str, bool]:
    """Returns the media type of an answer, and whether it is a stream."""
    media_type = content_type.decode("latin-1")
    return media_type, media_type.lower().startswith(STREAM_TYPES)


_media = Remembered(_kind, len)
