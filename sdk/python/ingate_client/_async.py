"""Sends calls and waits for their answers. The generated clients name them; `_sync` is made of this module."""

import json
from asyncio import sleep
from collections.abc import AsyncIterator, Mapping
from typing import Any, Generic, Self, TypeVar

import httpx

from ingate_client._calls import (
    FORWARD_TIMEOUT,
    REQUEST_ID,
    STREAM_TIMEOUT,
    UNSET,
    Call,
    Operation,
    Retries,
    answered,
    credential,
    forwarded,
    prepared,
    refused,
    told,
)
from ingate_client._events import Event, Parser
from ingate_client._failures import ConnectionFailed, IngateError, transport_failed

T = TypeVar("T")


class AsyncClient:
    """A connection pool to one gateway, with one credential. A context manager.

    base_url: where the gateway is. key, token: at most one of them. timeout: seconds for each try, not for streams.
    retries: how often a call that may be repeated is. http: a client of your own, which this one then does not close.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: str = "",
        token: str = "",
        timeout: float = 30.0,
        retries: int = 2,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = credential(key, token)
        self._timeout = timeout
        self._retries = retries
        self._owns = http is None
        self._http = http or httpx.AsyncClient()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections."""
        if self._owns:
            await self._http.aclose()

    async def forward(
        self, path: str, body: Any = None, *, method: str = "POST", headers: Mapping[str, str] | None = None
    ) -> "Answer":
        """Sends a request to a provider through the gateway and returns the answer as soon as it begins.

        path: as the provider's API has it, such as `/v1/chat/completions`. body: a JSON value, or bytes that are
        sent as they are. Such a call costs money, and is not repeated once it may have been read. Raises ApiError.
        """
        retries = Retries(self._retries, idempotent=False)
        return Answer(await self._repeated(forwarded(method, path, body, headers), retries, FORWARD_TIMEOUT))

    async def _call(self, operation: Operation, arguments: Mapping[str, Any]) -> Any:
        retries = Retries(self._retries, idempotent=operation.idempotent)
        while True:
            response = await self._repeated(prepared(operation, arguments), retries, self._timeout)
            try:
                return answered(operation, await _read(response))
            except ConnectionFailed as error:
                await _wait(retries, error)

    async def _items(self, operation: Operation, arguments: Mapping[str, Any]) -> AsyncIterator[Any]:
        while True:
            page = await self._call(operation, arguments)
            for item in page.items:
                yield item
            if page.next_cursor is None:
                return
            arguments = {**arguments, "offset": None, "cursor": page.next_cursor}

    def _tail(self, operation: Operation, arguments: Mapping[str, Any]) -> "Tail[Any]":
        return Tail(self, operation, arguments)

    async def _repeated(self, call: Call, retries: Retries, patience: float) -> httpx.Response:
        """Returns a success whose body is still to be read."""
        while True:
            try:
                return await self._send(call, patience)
            except IngateError as error:
                await _wait(retries, error)

    async def _send(self, call: Call, patience: float) -> httpx.Response:
        request = self._http.build_request(
            call.verb,
            self._base_url + call.path,
            params=call.params,
            content=call.content,
            headers={**self._headers, **call.headers},
            timeout=patience,
        )
        try:
            response = await self._http.send(request, stream=True)
        except httpx.TransportError as error:
            raise transport_failed(error) from error
        if response.is_success:
            return response
        raise refused(response.status_code, response.headers, await _read(response))


class Answer:
    """A provider's answer under way: read it once, as events or whole. A context manager."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.headers = response.headers
        self.request_id: str = response.headers.get(REQUEST_ID, "")
        """The id of the call's log entry."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._response.aclose()

    async def events(self) -> AsyncIterator[Event]:
        """Yields the events of a stream as they come. Raises ConnectionFailed for one that breaks off."""
        parser = Parser()
        async for piece in _pieces(self._response):
            for event in parser.feed(piece):
                yield event

    async def read(self) -> bytes:
        """Returns the body. Raises ConnectionFailed."""
        return await _read(self._response)

    async def json(self) -> Any:
        """Returns the body as a JSON value. Raises ConnectionFailed, ValueError."""
        return json.loads(await self.read())


class Tail(Generic[T]):
    """Events as they happen: iterate it in an `async with` block. It listens from there on.

    It comes back by itself when it is cut off. `last_id` is the place behind what was read; pass it as `cursor` to
    go on another time.
    """

    def __init__(self, client: AsyncClient, operation: Operation, arguments: Mapping[str, Any]) -> None:
        self._client = client
        self._operation = operation
        self._arguments = arguments
        self._retries = Retries(client._retries, idempotent=True)
        self._parser = Parser()
        self._response: httpx.Response

    @property
    def last_id(self) -> str:
        return self._parser.last_id

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._response.aclose()

    async def __aiter__(self) -> AsyncIterator[T]:
        while True:
            failure: ConnectionFailed | None = None
            try:
                async for piece in _pieces(self._response):
                    self._retries.restart()
                    for event in self._parser.feed(piece):
                        value = told(self._operation, event)
                        if value is not UNSET:
                            yield value
            except ConnectionFailed as error:
                failure = error
            await self._response.aclose()
            await _wait(self._retries, failure)
            await self._open()

    async def _open(self) -> None:
        call = prepared(self._operation, self._arguments, self.last_id)
        self._parser = Parser(self.last_id)
        self._response = await self._client._repeated(call, self._retries, STREAM_TIMEOUT)


async def _wait(retries: Retries, error: IngateError | None) -> None:
    """Waits until the next try. Raises the error where it is final."""
    pause = retries.pause(error)
    if pause is None:
        raise error or ConnectionFailed("the stream ended again and again", sent=True)
    await sleep(pause)


async def _pieces(response: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for piece in response.aiter_bytes():
            yield piece
    except httpx.TransportError as error:
        raise transport_failed(error) from error


async def _read(response: httpx.Response) -> bytes:
    try:
        return await response.aread()
    except httpx.TransportError as error:
        raise transport_failed(error) from error
    finally:
        await response.aclose()
