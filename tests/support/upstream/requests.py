"""HTTP/1.1 requests read byte for byte, as strictly as a vendor's front end. Knows no sockets and no responses."""

import json
import re
from asyncio import get_running_loop
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

_LONGEST_HEAD = 1 << 20
_OWS = b" \t"


class ProtocolViolation(Exception):
    """The client sent something that is not HTTP/1.1; the server under the test raises it when it closes."""


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request byte for byte: `headers` in order with names as sent, `body` without chunk framing, `raw` with all.

    connection counts the server's connections from 1, so that reuse shows.
    """

    method: bytes
    target: bytes
    version: bytes
    headers: list
    raw: bytes
    body: bytes = b""
    connection: int = 0

    @property
    def path(self):
        """The target's path as text, percent-decoded, without its query."""
        return unquote(urlsplit(self.target.decode("latin-1")).path)

    @property
    def query(self):
        """The query as {name: last value}."""
        parsed = parse_qs(urlsplit(self.target.decode("latin-1")).query, keep_blank_values=True)
        return {name: values[-1] for name, values in parsed.items()}

    def header(self, name):
        """Returns the first value of a header, its name in any case; None when there is none."""
        wanted = name.lower().encode() if isinstance(name, str) else name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def json(self):
        """Returns the body as JSON. Raises ValueError."""
        return json.loads(self.body)


class Inbox:
    """What arrived and has not been read; bytes read are kept until `take_raw`. Calls `on_hungry` before it waits."""

    def __init__(self, on_hungry):
        self._on_hungry = on_hungry
        self._buffer = bytearray()
        self._taken = bytearray()
        self._waiter = None

    def __len__(self):
        return len(self._buffer)

    @property
    def hungry(self):
        """Whether a reader waits for bytes."""
        return self._waiter is not None

    def feed(self, data):
        """Adds bytes from the socket."""
        self._buffer += data
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def until(self, separator):
        """Returns the bytes up to and with the separator. Raises `ProtocolViolation` past 1 MiB."""
        start = 0
        while (found := self._buffer.find(separator, start)) < 0:
            if len(self._buffer) > _LONGEST_HEAD:
                raise ProtocolViolation(f"no {separator!r} in {len(self._buffer)} bytes")
            start = max(0, len(self._buffer) - len(separator) + 1)
            await self._more()
        return self._take(found + len(separator))

    async def exactly(self, count):
        """Returns that many bytes."""
        parts = []
        while count:
            if not self._buffer:
                await self._more()
            parts.append(self._take(min(count, len(self._buffer))))
            count -= len(parts[-1])
        return b"".join(parts)

    def take_raw(self):
        """Returns every byte read since the last call."""
        raw = bytes(self._taken)
        self._taken.clear()
        return raw

    async def _more(self):
        self._waiter = get_running_loop().create_future()
        self._on_hungry()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _take(self, count):
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._taken += data
        return data


async def read_head(inbox, connection):
    """Returns the next request without its body. Raises `ProtocolViolation`."""
    raw = await inbox.until(b"\r\n\r\n")
    inbox.take_raw()
    request_line, *lines = raw[:-4].split(b"\r\n")
    parts = request_line.split(b" ")
    if len(parts) != 3 or not all(parts) or not re.fullmatch(rb"HTTP/1\.[01]", parts[2]):
        raise ProtocolViolation(f"request line {request_line!r}")
    headers = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or re.search(rb"[\x00\r\n]", value):
            raise ProtocolViolation(f"header line {line!r}")
        headers.append((name, value.strip(_OWS)))
    return RecordedRequest(*parts, headers, raw, connection=connection)


async def read_body(inbox, request):
    """Returns the request's body without chunk framing. Raises `ProtocolViolation`."""
    coding, length = request.header("transfer-encoding"), request.header("content-length")
    if coding is not None:
        if coding.lower() != b"chunked" or length is not None:
            raise ProtocolViolation(f"transfer-encoding {coding!r} with content-length {length!r}")
        return await _read_chunks(inbox)
    if length is None:
        return b""
    if not re.fullmatch(rb"\d+", length):
        raise ProtocolViolation(f"content-length {length!r}")
    return await inbox.exactly(int(length))


async def _read_chunks(inbox):
    parts = []
    while True:
        line = await inbox.until(b"\r\n")
        if not (size := re.fullmatch(rb"([0-9A-Fa-f]+)(;.*)?\r\n", line)):
            raise ProtocolViolation(f"chunk size {line!r}")
        if not (count := int(size[1], 16)):
            break
        parts.append(await inbox.exactly(count))
        if await inbox.exactly(2) != b"\r\n":
            raise ProtocolViolation("chunk longer than it said")
    while await inbox.until(b"\r\n") != b"\r\n":
        pass
    return b"".join(parts)
