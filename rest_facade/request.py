"""A request that a dialect claims, as aiohttp's handlers know requests. Knows no route.

The connection has read the head and keeps the body; aiohttp's parser sees no byte of either, so that one reader with
one set of bounds judges every request.
"""

import asyncio
from typing import Any

from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.http import RawRequestMessage, StreamWriter
from aiohttp.streams import EMPTY_PAYLOAD
from yarl import URL

from rest_facade.asked import Asked
from rest_facade.http1 import Body, Connection, Head

MAX_BODY = 256 * 1024
PATIENCE = 30.0


class Request(web.BaseRequest):
    """One request, whose answer goes to the connection that it came on.

    `asked` is what it says before its body. `read` returns `body`, and so aiohttp's `text` and `json` do; aiohttp's
    `content`, `multipart` and `post` find nothing.
    """

    # aiohttp warns of attributes that are not listed here, in development mode.
    ATTRS = web.BaseRequest.ATTRS | {"asked", "body"}

    def __init__(self, connection: Connection, head: Head, body: Body, request_id: str) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None
        message = RawRequestMessage(
            head.method,
            head.target,
            HttpVersion11 if head.version else HttpVersion10,
            head.fields(),
            tuple(head.headers),
            should_close=not head.keep_alive,
            compression=None,
            upgrade=False,
            chunked=head.chunked,
            url=URL.build(path=head.path, query_string=head.query, encoded=True),
        )
        # aiohttp's types name its own protocol class. Requests and writers use only what _Protocol has.
        protocol: Any = _Protocol(connection)
        super().__init__(message, EMPTY_PAYLOAD, protocol, StreamWriter(protocol, loop), task, loop)
        self.asked = Asked(head.method, head.path, head.query, head.fields(), request_id, connection.caller)
        self.body = body

    async def read(self, limit: int = MAX_BODY, patience: float = PATIENCE) -> bytes:
        """Returns the whole body, of `limit` bytes at most. Raises what `Body.read` does."""
        if self._read_bytes is None:
            self._read_bytes = bytes(await self.body.read(limit, patience))
        return self._read_bytes


class _Protocol:
    """A connection as aiohttp's requests and writers see one."""

    __slots__ = ("_connection", "peername", "sockname", "ssl_context", "transport")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.transport = connection.transport
        self.peername = connection.caller
        self.sockname = None
        self.ssl_context = None

    @property
    def _paused(self) -> bool:
        return self._connection.writing_paused

    async def _drain_helper(self) -> None:
        await self._connection.drained()
