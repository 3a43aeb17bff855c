"""What is written in one turn of the event loop, sent when it ends: first on one connection, then at once on the next.

To send wakes whoever waits for it, which costs several times the copying of the bytes. Sent in a row, most find their
reader awake with what came before. Knows nothing of what is written.
"""

import asyncio

import structlog

_KEPT = 64 * 1024
"""A write of more bytes is sent at once: waking its reader is little beside it, and the transport is to say when it has
enough."""

_log = structlog.get_logger(__name__)


class Outbox:
    """The connections of one event loop that have something to send."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[Corked] = []

    def add(self, corked: "Corked") -> None:
        """Has a connection send what it holds when all is done that is ready to run now."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._send)
        self._waiting.append(corked)

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        for corked in waiting:
            try:
                corked.flush()
            except Exception:  # noqa: BLE001 -- one connection's failure is not that of those behind it
                _log.exception("not_sent")
                corked.abort()


class Corked:
    """A transport that sends what it is given a turn later. Everything that is to come after must be asked of it.

    `unsent` is what waits for that.
    """

    __slots__ = ("_outbox", "abort", "is_closing", "pause_reading", "resume_reading", "transport", "unsent")

    def __init__(self, transport: asyncio.Transport, outbox: Outbox) -> None:
        self.transport = transport
        self._outbox = outbox
        self.unsent: list[bytes | memoryview] = []
        self.abort = transport.abort
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def write(self, data: bytes | memoryview) -> None:
        """Sends bytes, soon. What was not sent when the connection is aborted is dropped."""
        unsent = self.unsent
        unsent.append(data)
        if len(data) > _KEPT:
            self.flush()
        elif len(unsent) == 1:
            self._outbox.add(self)

    def flush(self) -> None:
        """Sends now what was written."""
        unsent, self.unsent = self.unsent, []
        if not unsent or self.is_closing():
            return
        if len(unsent) == 1:
            self.transport.write(unsent[0])
        elif len(unsent[-1]) > _KEPT:
            self.transport.writelines(unsent)
        else:
            self.transport.write(b"".join(unsent))

    @property
    def sent(self) -> bool:
        """Whether the kernel has taken all that was written."""
        return not self.unsent and not self.transport.get_write_buffer_size()

    def write_eof(self) -> None:
        """Ends the sending side behind what was written; under TLS, which has no such end, the caller closes."""
        self.flush()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def close(self) -> None:
        """Closes the connection behind what was written."""
        self.flush()
        self.transport.close()
