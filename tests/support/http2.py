"""A gRPC client down to the frame: sends part of a message and tells how much of it the server lets it send.

async with Http2(port) as peer:
    stream = await peer.open("/ingate.auth.v1.AuthService/Login")
    sent = await peer.send(stream, prefix(33_000_000) + b"x" * 1_000_000)
"""

import asyncio
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
FRAME_BYTES = 16_384
FIRST_WINDOW = 65_535
INITIAL_WINDOW = 4
PATIENCE = 15.0


def prefix(size):
    """Returns what stands before a message of that many bytes."""
    return b"\0" + struct.pack(">I", size)


def _frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def _literal(name, value):
    """Returns a header field as HPACK that refers to no table; both parts are shorter than 127 bytes."""
    return b"\0" + b"".join(bytes([len(part)]) + part for part in (name.encode(), value.encode()))


class Http2:
    """One connection. Streams are numbers; `ended` holds those that the server has ended."""

    def __init__(self, port):
        self._port = port
        self._next = 1
        self._initial = FIRST_WINDOW
        self._connection = FIRST_WINDOW
        self._windows = {}
        self.ended = set()
        self._news = asyncio.Condition()

    async def __aenter__(self):
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(PREFACE + _frame(SETTINGS, 0, 0))
        self._task = asyncio.create_task(self._read())
        self._settled = asyncio.Event()
        await asyncio.wait_for(self._settled.wait(), PATIENCE)
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        self._writer.close()

    async def open(self, path, *headers):
        """Begins a call and returns its stream; its message is still to be sent."""
        stream, self._next = self._next, self._next + 2
        self._windows[stream] = self._initial
        pairs = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", "x"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            *headers,
        ]
        self._writer.write(_frame(HEADERS, END_HEADERS, stream, b"".join(_literal(*pair) for pair in pairs)))
        await self._writer.drain()
        return stream

    async def send(self, stream, data, *, quiet=0.3):
        """Sends what the server lets it send; returns how much, when that was all, or nothing more for a while."""
        at = 0
        while at < len(data) and stream not in self.ended:
            size = min(len(data) - at, FRAME_BYTES, self._connection, self._windows[stream])
            if size > 0:
                self._writer.write(_frame(DATA, 0, stream, data[at : at + size]))
                await self._writer.drain()
                at, self._connection = at + size, self._connection - size
                self._windows[stream] -= size
                continue
            try:
                async with asyncio.timeout(quiet), self._news:
                    await self._news.wait()
            except TimeoutError:
                break
        return at

    async def finish(self, stream, message):
        """Sends one whole message and the end of the requests."""
        self._writer.write(_frame(DATA, END_STREAM, stream, prefix(len(message)) + message))
        await self._writer.drain()

    async def over(self, stream):
        """Waits until the server has ended the call. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: stream in self.ended)

    async def closed(self):
        """Waits until the server has closed the connection. Raises TimeoutError."""
        await asyncio.wait_for(asyncio.shield(self._task), PATIENCE)

    async def _read(self):
        try:
            while True:
                head = await self._reader.readexactly(9)
                payload = await self._reader.readexactly(int.from_bytes(head[:3]))
                await self._take(head[3], head[4], int.from_bytes(head[5:9]), payload)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.ended.update(self._windows)
            async with self._news:
                self._news.notify_all()

    async def _take(self, kind, flags, stream, payload):
        if kind == SETTINGS and not flags & ACK:
            stated = dict(struct.iter_unpack(">HI", payload))
            change = stated.get(INITIAL_WINDOW, self._initial) - self._initial
            self._initial += change
            self._windows = {known: window + change for known, window in self._windows.items()}
            self._writer.write(_frame(SETTINGS, ACK, 0))
            self._settled.set()
        elif kind == WINDOW and stream:
            self._windows[stream] = self._windows.get(stream, 0) + int.from_bytes(payload)
        elif kind == WINDOW:
            self._connection += int.from_bytes(payload)
        elif kind == PING and not flags & ACK:
            self._writer.write(_frame(PING, ACK, 0, payload))
        elif kind == RESET or (kind in {HEADERS, DATA} and flags & END_STREAM):
            self.ended.add(stream)
        async with self._news:
            self._news.notify_all()
