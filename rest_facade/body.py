"""Request bodies, read whole within bounds of size and time. Knows aiohttp's stream; nothing of JSON or routes."""

import asyncio

from aiohttp import HttpVersion11, web
from aiohttp.web_protocol import RequestPayloadError

from rest_facade.failures import Refused, request_timeout
from rest_facade.http1.body import SLOWEST, badly_framed, too_large


async def read_body(request: web.BaseRequest, limit: int, patience: float) -> bytes:
    """Returns the body.

    Raises TooLarge beyond `limit` bytes, BadRequest for broken framing, `Refused` when nothing or too little
    arrives within `patience` seconds (longer in proportion to what did arrive), ConnectionError when the caller
    is gone. A body that is announced as too large is refused unread; `Expect: 100-continue` is answered when the
    body is wanted.
    """
    content = request.content
    length = request.content_length
    if length is not None and length > limit:
        raise too_large(limit)
    try:
        if content.is_eof():
            body = content.read_nowait()
            if len(body) > limit:
                raise too_large(limit)
            return body
        _answer_expectation(request)
        return await _read(request, limit, patience)
    except RequestPayloadError:
        raise badly_framed() from None


async def _read(request: web.BaseRequest, limit: int, patience: float) -> bytes:
    loop = asyncio.get_running_loop()
    started = loop.time()
    body = bytearray()
    try:
        async with asyncio.timeout_at(started + patience) as deadline:
            while chunk := await request.content.readany():
                body += chunk
                if len(body) > limit:
                    raise too_large(limit)
                deadline.reschedule(started + patience + len(body) / SLOWEST)
    except TimeoutError:
        raise Refused(request_timeout()) from None
    return bytes(body)


def _answer_expectation(request: web.BaseRequest) -> None:
    if request.version < HttpVersion11 or request.headers.get("Expect", "").lower() != "100-continue":
        return
    transport = request.transport
    if transport is not None and not transport.is_closing():
        transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
