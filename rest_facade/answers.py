"""Answers as aiohttp responses and as bytes: what a dialect says plus what every answer carries. Knows no rpcs."""

import traceback
from http import HTTPStatus

import structlog
from aiohttp import hdrs, web
from multidict import CIMultiDict, CIMultiDictProxy

from ingate.rpc.status import Failure
from rest_facade import failures
from rest_facade.dialects.base import Answer, Dialect
from rest_facade.middleware import Pairs, answer_headers, cors_headers
from rest_facade.routes import Route

_log = structlog.get_logger(__name__)


def respond(
    dialect: Dialect, request: web.BaseRequest, request_id: str, answer: Answer, more: Pairs = ()
) -> web.Response:
    """Returns the response for an answer of a dialect."""
    headers = _headers(dialect, request.method, request.headers, request_id, answer)
    for name, value in more:
        headers.setdefault(name, value)
    return web.Response(status=answer.status, headers=headers, body=answer.body or None)


def written(
    dialect: Dialect, method: str, asked: CIMultiDictProxy[str], request_id: str, answer: Answer, *, more: bytes
) -> bytes:
    """Returns the same as the bytes of HTTP/1.1. `asked` are the request's headers, `more` are lines for the head."""
    headers = _headers(dialect, method, asked, request_id, answer)
    headers[hdrs.CONTENT_LENGTH] = str(len(answer.body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    phrase = HTTPStatus(answer.status).phrase
    head = f"HTTP/1.1 {answer.status} {phrase}\r\n{lines}".encode("utf-8", "replace")
    return head + more + b"\r\n" + (b"" if method == "HEAD" else answer.body)


def _headers(
    dialect: Dialect, method: str, asked: CIMultiDictProxy[str], request_id: str, answer: Answer
) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = answer_headers(request_id)
    if answer.body:
        headers[hdrs.CONTENT_TYPE] = answer.content_type
        headers[hdrs.CACHE_CONTROL] = "no-store"
    for name, value in (*answer.headers, *dialect.headers(asked, request_id)):
        headers[name] = value
    if dialect.cors is not None:
        headers.extend(cors_headers(dialect.cors, asked, preflight=answer.status == 204 and method == "OPTIONS"))
    return headers


def refuse(
    dialect: Dialect,
    request: web.BaseRequest,
    request_id: str,
    failure: Failure,
    *,
    route: Route | None = None,
    more: Pairs = (),
) -> web.Response:
    """Returns the response for a failure. A connection with an unread body is closed after it."""
    response = respond(dialect, request, request_id, dialect.error(failure, route, request_id), more)
    if not request.content.is_eof():
        response.force_close()
    return response


def failure_of(error: Exception, request_id: str, where: str) -> Failure:
    """Returns the failure for an exception, and logs it if it is nobody's fault but ours."""
    failure = failures.of(error)
    if failure.reason == failures.INTERNAL:
        # Messages of exceptions may quote what a caller sent, so the log gets places and types.
        frames = [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
        ]
        _log.error("request failed", request_id=request_id, at=where, error=type(error).__name__, trace=frames[-12:])
    return failure
