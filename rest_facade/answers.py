"""Answers of HTTP/1.1: those of a dialect, with the headers that every answer has. Knows no rpcs."""

import time
import traceback
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

import structlog
from aiohttp import web
from multidict import CIMultiDict

from ingate.rpc.status import Failure
from rest_facade import failures
from rest_facade.answer_headers import Pairs, answer_headers
from rest_facade.asked import Asked
from rest_facade.cors import cors_headers
from rest_facade.dialects.base import Answer, Dialect
from rest_facade.events import MEDIA_TYPE

_log = structlog.get_logger(__name__)

STREAM_HEADERS = (
    ("Content-Type", MEDIA_TYPE),
    ("Cache-Control", "no-store"),
    # nginx gathers answers of upstreams unless it is told not to.
    ("X-Accel-Buffering", "no"),
)


def response(dialect: Dialect, asked: Asked, answer: Answer, more: Pairs) -> web.Response:
    """Returns the answer of a dialect to a request. `more` are headers for names that the dialect does not set."""
    headers = _headers(dialect, asked, answer)
    for name, value in more:
        headers.setdefault(name, value)
    return web.Response(status=answer.status, body=answer.body, headers=headers)


def written(dialect: Dialect, asked: Asked, answer: Answer, *, lines: bytes) -> bytes:
    """Returns an answer of a dialect, outside of its routes, as bytes. `lines` are further lines of the head."""
    headers = _headers(dialect, asked, answer)
    if answer.status != HTTPStatus.NO_CONTENT:
        headers["Content-Length"] = str(len(answer.body))
    head = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n".encode() + _lines(headers)
    return head + lines + b"\r\n" + (b"" if asked.method == "HEAD" else answer.body)


def stream_lines(dialect: Dialect, asked: Asked, more: Pairs) -> bytes:
    """Returns the head lines of a stream. `more` are headers for names that the dialect does not set."""
    headers = _headers(dialect, asked, Answer(HTTPStatus.OK, b"", STREAM_HEADERS))
    for name, value in more:
        headers.setdefault(name, value)
    return _lines(headers)


def _lines(headers: CIMultiDict[str]) -> bytes:
    text = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    return f"{_date(int(time.time()))}{text}".encode("utf-8", "replace")


@lru_cache(maxsize=1)
def _date(seconds: int) -> str:
    """Returns the time as a line. Cached: many answers are of the same second."""
    return f"Date: {formatdate(seconds, usegmt=True)}\r\n"


def _headers(dialect: Dialect, asked: Asked, answer: Answer) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = answer_headers(asked.request_id)
    if answer.body:
        headers["Content-Type"] = answer.content_type
        headers["Cache-Control"] = "no-store"
    for name, value in (*answer.headers, *dialect.headers(asked)):
        headers[name] = value
    if dialect.cors is not None:
        preflight = answer.status == 204 and asked.method == "OPTIONS"
        headers.extend(cors_headers(dialect.cors, asked.headers, preflight=preflight))
    return headers


def failure_of(error: Exception, request_id: str, where: str) -> Failure:
    """Returns the failure for an exception, and logs it if it is INTERNAL."""
    failure = failures.of(error)
    if failure.reason == failures.INTERNAL:
        # Messages of exceptions may quote what a caller sent, so the log gets places and types.
        frames = [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
        ]
        _log.error("request failed", request_id=request_id, at=where, error=type(error).__name__, trace=frames[-12:])
    return failure
