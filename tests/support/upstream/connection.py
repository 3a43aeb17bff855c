"""One connection of the scripted upstream: bytes in, steps out. Knows no vendors."""

import asyncio
import socket
import struct
from dataclasses import replace

from tests.support.upstream.requests import Inbox, read_body, read_head
from tests.support.upstream.steps import Phase

_MOST_UNREAD = 1 << 18
_TCP_ESTABLISHED = 1


class Connection(asyncio.Protocol):
    """Reads requests one after the other and plays the scenario that `owner` chooses for each."""

    def __init__(self, owner):
        self._owner = owner
        self._inbox = Inbox(self._read_again)
        self._writable = asyncio.Event()
        self._writable.set()
        self._reads = True
        self._task = None
        self.transport = None
        self.number = 0

    def connection_made(self, transport):
        """Starts serving; refused when the owner closes."""
        self.transport = transport
        # Nothing may pile up in this process: a send returns when the kernel has the bytes.
        transport.set_write_buffer_limits(high=0)
        scenario = self._owner.opened(self)
        self._task = asyncio.get_running_loop().create_task(self._serve(scenario))

    def data_received(self, data):
        """Keeps what arrived, and stops reading while nobody wants more than 256 KiB."""
        self._inbox.feed(data)
        if len(self._inbox) > _MOST_UNREAD and not self._inbox.hungry:
            self.stop_reading()

    def eof_received(self):
        """Lets the transport close: clients that close one side are not served further."""

    def connection_lost(self, _error):
        """Ends whatever was being played."""
        self._writable.set()
        self._task.cancel()
        self._owner.lost(self)

    def pause_writing(self):
        """The kernel's buffer is full."""
        self._writable.clear()

    def resume_writing(self):
        """The kernel has taken everything."""
        self._writable.set()

    async def send(self, data):
        """Hands bytes to the kernel, waiting while the client does not read."""
        self.transport.write(data)
        self._owner.bytes_sent += len(data)
        await self._writable.wait()

    async def gone(self):
        """Waits until the connection is lost, which cancels the caller."""
        await asyncio.get_running_loop().create_future()

    def close(self):
        """Sends a FIN after what was written."""
        self.transport.close()

    def reset(self):
        """Sends a RST."""
        linger = struct.pack("ii", 1, 0)
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.transport.abort()

    def stop_reading(self):
        """Reads nothing more."""
        self._reads = False
        self.transport.pause_reading()

    def established(self):
        """Whether the peer has neither closed nor reset, as the kernel knows it; always true outside Linux."""
        if not hasattr(socket, "TCP_INFO") or self.transport.is_closing():
            return not self.transport.is_closing()
        state = self.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        return state[0] == _TCP_ESTABLISHED

    async def _serve(self, scenario):
        try:
            if scenario is not None:
                await self._play(scenario)
            while not self.transport.is_closing():
                await self._serve_one()
        except Exception as error:  # noqa: BLE001 - kept for whoever closes the server
            self._owner.errors.append(error)
            self.transport.abort()

    async def _serve_one(self):
        request = await read_head(self._inbox, self.number)
        scenario = self._owner.choose(request)
        if scenario is not None and scenario.phase < Phase.REQUEST:
            self._owner.record(request)
            await self._play(scenario)
            await read_body(self._inbox, request)
            self._inbox.take_raw()
        else:
            if (request.header("expect") or b"").lower() == b"100-continue":
                await self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await read_body(self._inbox, request)
            request = replace(request, body=body, raw=request.raw + self._inbox.take_raw())
            self._owner.record(request)
            await self._play(scenario or self._owner.default(request))
        if (request.header("connection") or b"").lower() == b"close" or request.version == b"HTTP/1.0":
            self.close()

    async def _play(self, scenario):
        for step in scenario.steps:
            await step(self)

    def _read_again(self):
        if not self._reads and not self.transport.is_closing():
            self._reads = True
            self.transport.resume_reading()
