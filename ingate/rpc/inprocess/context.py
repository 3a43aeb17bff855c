"""What a handler is given beside its request. Knows the call it serves; not how the handler was found or run."""

import asyncio
import contextvars
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Never

import grpc
import grpc.aio

from ingate.rpc.inprocess.exchange import OK, UNSENDABLE_RESPONSE, Exchange, Outcome
from ingate.rpc.inprocess.metadata import InvalidMetadataError, Metadata, check_trailing, outgoing
from ingate.rpc.inprocess.pipe import Pipe

_CODES = {code.value[0]: code for code in grpc.StatusCode}


def _code(code: Any) -> grpc.StatusCode:
    # Numbers are accepted and nonsense is UNKNOWN, as in grpc.aio.
    return code if isinstance(code, grpc.StatusCode) else _CODES.get(code, grpc.StatusCode.UNKNOWN)


class ServicerContext(grpc.aio.ServicerContext[Any, Any]):
    """The servicer context of one call.

    Methods raise `grpc.aio.UsageError` once the call has its status, `grpc.aio.AbortError` after an abort, and
    `grpc.aio.InternalError` when the client is gone. As in grpc.aio, `cancelled()` is about the code the handler
    set: a client's cancellation reaches the handler as `asyncio.CancelledError`.
    """

    __slots__ = ("_aborted", "_code", "_details", "_exchange", "_trailing", "deserializer", "serializer")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._aborted = False
        self._code: Any = None
        self._details = ""
        self._trailing: tuple[Any, ...] = ()
        self.deserializer: Callable[[bytes], Any] | None = None
        self.serializer: Callable[[Any], bytes] | None = None

    def check(self) -> None:
        """Raises if the call has ended, so that a handler which suppressed an abort goes no further."""
        if self._aborted:
            raise grpc.aio.AbortError("Locally aborted.")
        if self._exchange.sent is not None:
            raise grpc.aio.UsageError("RPC already finished.")

    async def read(self) -> Any:
        """Returns the next request, or `grpc.aio.EOF` after the last."""
        self.check()
        requests = self._exchange.request
        if not isinstance(requests, Pipe):
            raise grpc.aio.UsageError("This RPC has a single request.")
        message = await requests.get()
        self.check()
        if message is None:
            return grpc.aio.EOF
        refusal = self._exchange.too_large(message, "SERVER")
        if refusal is not None:
            self._exchange.abandon(refusal)
            await asyncio.sleep(0)  # the handler learns of it as of any cancellation
            raise grpc.aio.InternalError(refusal.details)
        return message if self.deserializer is None else self.deserializer(message)

    async def write(self, message: Any) -> None:
        """Sends a response; waits while the client is a window behind."""
        self.check()
        exchange = self._exchange
        if exchange.responses is None:
            raise grpc.aio.UsageError("This RPC has a single response.")
        serialized = message if self.serializer is None else self.serializer(message)
        exchange.send_initial(())
        if not await exchange.responses.put(serialized):
            self.check()
            raise grpc.aio.InternalError("The client is gone.")

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        """Sends the initial metadata, once and before the first response."""
        self.check()
        if self._exchange.initial is not None:
            raise grpc.aio.UsageError("Send initial metadata failed: already sent")
        try:
            self._exchange.send_initial(outgoing(initial_metadata))
        except InvalidMetadataError as error:
            self._exchange.abandon(UNSENDABLE_RESPONSE)
            raise grpc.aio.InternalError(UNSENDABLE_RESPONSE.details) from error

    async def abort(self, code: Any, details: str = "", trailing_metadata: Any = ()) -> Never:
        """Ends the call with an error and raises `grpc.aio.AbortError`. Aborting with OK is UNKNOWN."""
        if not isinstance(trailing_metadata, tuple):
            name = type(trailing_metadata).__name__
            raise TypeError(f"Argument 'trailing_metadata' has incorrect type (expected tuple, got {name})")
        if self._aborted:
            raise grpc.aio.UsageError("Abort already called!")
        check_trailing(trailing_metadata)
        self._trailing = trailing_metadata or self._trailing
        self._details = details or self._details
        self._code = grpc.StatusCode.UNKNOWN if _code(code) is grpc.StatusCode.OK else code
        self._exchange.finish(self.outcome())
        self._aborted = True
        raise grpc.aio.AbortError("Locally aborted.")

    async def abort_with_status(self, status: grpc.Status) -> Never:
        """Aborts with the code, details and trailing metadata of `status`."""
        await self.abort(status.code, status.details, status.trailing_metadata)

    def outcome(self) -> Outcome:
        """Returns the status as it stands; raises TypeError for trailing metadata of the wrong type."""
        code = grpc.StatusCode.OK if self._code is None else _code(self._code)
        if code is grpc.StatusCode.OK and not self._trailing:
            return OK
        try:
            trailing = outgoing(self._trailing)
        except InvalidMetadataError:
            return UNSENDABLE_RESPONSE
        return Outcome(code, "" if code is grpc.StatusCode.OK else self._details, trailing)

    def failure(self, error: Exception) -> Outcome:
        """Returns the status of a handler that raised `error`: its code or UNKNOWN, and the error's text."""
        self._details = f"Unexpected {type(error)}: {error}"
        if self._code is None or _code(self._code) is grpc.StatusCode.OK:
            self._code = grpc.StatusCode.UNKNOWN
        try:
            return self.outcome()
        except TypeError:
            self._trailing = ()
            return self.outcome()

    def invocation_metadata(self) -> Metadata:  # type: ignore[override]  # a tuple, as grpc.aio really gives
        """Returns the client's metadata, pairs with `key` and `value`."""
        return self._exchange.metadata

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        """Sets what accompanies the status; raises TypeError for anything but pairs."""
        check_trailing(trailing_metadata)
        self._trailing = tuple(trailing_metadata)

    def trailing_metadata(self) -> tuple[Any, ...]:  # type: ignore[override]  # a tuple, as grpc.aio really gives
        """Returns the pairs set."""
        return self._trailing

    def set_code(self, code: Any) -> None:
        """Sets the code of the status; anything but OK discards the response."""
        self._code = code

    def code(self) -> Any:
        """Returns the code set, or None."""
        return self._code

    def set_details(self, details: str) -> None:
        """Sets the text of the status."""
        self._details = details

    def details(self) -> str:
        """Returns the text set."""
        return self._details

    def time_remaining(self) -> float | None:  # type: ignore[override]  # None without a deadline, as grpc.aio
        """Returns the seconds until the deadline, or None without one."""
        return self._exchange.time_remaining()

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        """Calls `callback` with this context once the handler's task is over."""
        self._exchange.server_callbacks.append((partial(callback, self), contextvars.copy_context()))

    def cancelled(self) -> bool:
        """Returns whether the code set is CANCELLED."""
        return _code(self._code) is grpc.StatusCode.CANCELLED

    def done(self) -> bool:
        """Returns whether the status was sent."""
        return self._exchange.sent is not None

    def peer(self) -> str:
        """Returns "inproc"."""
        return "inproc"

    def peer_identities(self) -> Iterable[bytes] | None:
        """Returns None: nothing authenticates the caller."""
        return None

    def peer_identity_key(self) -> str | None:
        """Returns None: nothing authenticates the caller."""
        return None

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """Returns nothing: there is no transport to speak of."""
        return {}

    def set_compression(self, compression: grpc.Compression) -> None:
        """Accepted; there is nothing to compress."""

    def disable_next_message_compression(self) -> None:
        """Accepted; there is nothing to compress."""
