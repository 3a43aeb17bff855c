"""One ingress at work: its requests handed to the engine, and what the gateway itself says to them.

Knows no listener, no provider and no other ingress.
"""

import contextlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from ingate.errors import DomainError
from ingate.ids import uuid7
from ingate.proxy.ports import ClientGone, Headers
from rest_facade.answer_headers import REQUEST_ID, common_lines
from rest_facade.answers import failure_of, written
from rest_facade.asked import Asked
from rest_facade.cors import cors_headers, is_preflight
from rest_facade.dialects.base import Answer, Dialect, Ingress, NoCredential, no_headers
from rest_facade.http1 import Body, Connection, Head
from rest_facade.sink import HttpSink

ProxyHandler = Callable[[str, Head, Body, HttpSink], Awaitable[None]]
"""Answers a request whose head's owner is a `Proxying`, given its id. Raises only while nothing is sent."""
RefusalNote = Callable[[str, Headers, str, str], None]
"""Takes the reason, headers, address and answer of a proxied request that was refused and is not on record."""

_COMMON = common_lines() + REQUEST_ID.encode() + b": "
_CLOSE = b"Connection: close\r\n"


class Proxying:
    """Answers the requests of an ingress."""

    patient = True  # bodies are read for callers with a good key alone

    def __init__(self, dialect: Dialect, ingress: Ingress, handler: ProxyHandler, refused: RefusalNote | None) -> None:
        self.ingress = ingress
        self._dialect = dialect
        self._handler = handler
        self._refused = refused
        self._adds = dialect.cors is not None or dialect.headers is not no_headers

    async def answer(self, connection: Connection, head: Head, body: Body) -> bool:
        """Answers a request; tells whether the connection may take another one."""
        request_id = uuid7()
        common = b"%b%b\r\n" % (_COMMON, request_id.encode())
        own: Answer | None = None
        if self._adds:
            own, lines = self._added(_asked(connection, head, request_id))
            common += lines
        sink = HttpSink(connection, head, common)
        if own is None:
            try:
                await self._handler(request_id, head, body, sink)
            except Exception as error:  # noqa: BLE001 -- every failure is answered, and logged where it is ours
                own = self._told(error, connection, head, request_id)
        # Out here nothing holds on to the frames of what failed, and to the body in them, while the answer is taken.
        if own is not None:
            if sink.started:
                sink.abort()
            else:
                sink.keep_alive = sink.keep_alive and body.complete
                lines = sink.rate_lines if sink.keep_alive else sink.rate_lines + _CLOSE
                said = written(self._dialect, _asked(connection, head, request_id), own, lines=lines)
                with contextlib.suppress(ClientGone):
                    await sink.send(said)
        return sink.keep_alive

    def _added(self, asked: Asked) -> tuple[Answer | None, bytes]:
        """Returns the answer to a preflight, and the lines that the dialect adds to every answer."""
        dialect = self._dialect
        own = None
        added = dialect.headers(asked)
        if dialect.cors is not None:
            if is_preflight(asked.method, asked.headers):
                own = Answer(HTTPStatus.NO_CONTENT, b"")
            added = (*added, *cors_headers(dialect.cors, asked.headers, preflight=False))
        return own, "".join([f"{name}: {value}\r\n" for name, value in added]).encode("latin-1")

    def _told(self, error: Exception, connection: Connection, head: Head, request_id: str) -> Answer:
        """Returns the answer to a request that failed, and notes it where it is not on record."""
        asked = _asked(connection, head, request_id)
        if isinstance(error, NoCredential) and (page := self.ingress.page(asked)) is not None:
            return page
        failure = failure_of(error, request_id, "proxy")
        if self._refused is not None and isinstance(error, DomainError) and not error.recorded:
            self._refused(failure.reason, head.headers, connection.caller, failure.message)
        return self.ingress.error(failure, asked)


def _asked(connection: Connection, head: Head, request_id: str) -> Asked:
    return Asked(head.method, head.path, head.query, head.fields(), request_id, connection.caller)
