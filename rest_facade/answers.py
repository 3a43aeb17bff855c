"""Answers as aiohttp responses: what a dialect says plus what every answer carries. Knows no routes and no rpcs."""

import traceback

import structlog
from aiohttp import hdrs, web
from multidict import CIMultiDict

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
    headers: CIMultiDict[str] = answer_headers(request_id)
    if answer.body:
        headers[hdrs.CONTENT_TYPE] = answer.content_type
        headers[hdrs.CACHE_CONTROL] = "no-store"
    for name, value in (*more, *answer.headers, *dialect.headers(request.headers, request_id)):
        headers[name] = value
    if dialect.cors is not None:
        headers.extend(
            cors_headers(dialect.cors, request.headers, preflight=answer.status == 204 and request.method == "OPTIONS")
        )
    return web.Response(status=answer.status, headers=headers, body=answer.body or None)


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
