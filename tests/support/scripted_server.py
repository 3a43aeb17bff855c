"""A TCP server that plays a script to each connection: what it reads and sends is up to the test, byte by byte."""

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field

from ingate.proxy.ports import Origin


@dataclass
class Received:
    """One request as it came: request line, headers (a dict, names as sent) and body."""

    line: str
    headers: dict
    body: bytes
    head: bytes


class Peer:
    """The server's side of one connection."""

    def __init__(self, number, reader, writer):
        self.number = number  # 0 for the first connection
        self.reader = reader
        self.writer = writer

    async def head(self):
        """Reads one request head; None when the client has closed instead."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        line, *fields = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        return Received(line, dict(name.split(": ", 1) for name in fields), b"", head)

    async def request(self):
        """Reads one request with its body; None when the client has closed instead."""
        received = await self.head()
        if received is not None:
            received.body = await self.reader.readexactly(int(received.headers.get("content-length", 0)))
        return received

    async def send(self, *pieces):
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def gone(self):
        """Returns when the client has closed the connection."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    def eof(self):
        """Closes this side for writing."""
        self.writer.write_eof()

    def reset(self):
        """Ends the connection with RST."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@dataclass
class Scripted:
    """A running server: its origin, and how many connections it has accepted."""

    origin: Origin
    accepted: int = 0
    requests: list = field(default_factory=list)  # for scripts to note what came


@contextlib.asynccontextmanager
async def scripted(script, ssl=None, host="127.0.0.1", name=None):
    """Serves `await script(peer, server)` to each connection; its failures, lost connections apart, fail the test."""
    failures = []
    tasks = set()

    async def serve(reader, writer):
        task = asyncio.current_task()
        tasks.add(task)
        server.accepted += 1
        try:
            await script(Peer(server.accepted - 1, reader, writer), server)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client went, or the test is over
        except BaseException as error:  # noqa: BLE001 - handed to the test below
            failures.append(error)
        finally:
            tasks.discard(task)
            writer.transport.abort()

    listener = await asyncio.start_server(serve, host, 0, ssl=ssl, limit=2**20)
    port = listener.sockets[0].getsockname()[1]
    server = Scripted(Origin("https" if ssl else "http", name or host, port))
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
        if failures:
            raise failures[0]


def answering(*responses):
    """A script that answers request n of a connection with `responses[n]`, the last one for all that follow."""

    async def script(peer, server):
        turn = 0
        while (received := await peer.request()) is not None:
            server.requests.append(received)
            await peer.send(responses[min(turn, len(responses) - 1)])
            turn += 1

    return script
