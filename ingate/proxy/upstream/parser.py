"""What a provider sends, as HTTP/1.1: fills one `Response` after another. Knows no connection and no time.

httptools reads, strictly; here is what it leaves open: which responses have a body, what ends it, what is ambiguous,
whether anything follows, and how large things may be. What others might read otherwise is refused, or at least ends the
connection.
"""

import re

from httptools import HttpParserError, HttpResponseParser

from ingate.proxy.ports import BODILESS, BadResponse, Headers
from ingate.proxy.upstream.response import Response
from ingate.remembered import Remembered

HEAD_LIMIT = 256 * 1024
HEADERS_LIMIT = 1000
INTERIM_LIMIT = 8
"""Interim responses before one answer."""
INTERIM_HEAD_LIMIT = 16 * 1024
LENGTH_DIGITS = 15
_WORTH = 16
"""Bytes of chunk sizes, extensions and trailers that a byte of the body is worth; HEAD_LIMIT more may come."""

_STARTS = frozenset(b"HTTP/1.%d %d" % (minor, status) for minor in (0, 1) for status in (2, 3, 4, 5))
_START_SIZE = len(b"HTTP/1.1 2")
_INTERIM_START = b"HTTP/1.1 1"
_INTERIM = re.compile(
    rb"HTTP/1\.1 1(?!01)\d\d(?: [\t\x20-\x7e\x80-\xff]*)?\r\n"
    rb"(?:(?!(?i:content-length|transfer-encoding):)[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*\r\n"
)
_LINE_ENDS = b"\r\n"
_END = b"\r\n\r\n"
_ZERO = ord("0")
_OF_CONNECTION = frozenset({b"connection", b"proxy-connection", b"transfer-encoding", b"upgrade"})
"""Names that have no business among trailers: some heed them there."""


class Parser:
    """Parses the responses of one connection.

    `complete`: the response is. `keep_alive`: the connection may serve another exchange after it. `until_eof`: nothing
    but the end of the connection ends its body.
    """

    __slots__ = (
        "_body",
        "_excess",
        "_fresh",
        "_head",
        "_headers",
        "_held",
        "_interims",
        "_parser",
        "_piece",
        "_response",
        "_size",
        "_tail",
        "complete",
        "keep_alive",
        "until_eof",
    )

    _response: Response

    def __init__(self) -> None:
        self._headers: Headers | None = None  # of the head being parsed; None outside one
        self._fresh = True  # nothing of the final response has been parsed
        self._held = b""  # the beginning of a response that does not tell yet what it is
        self._tail = b""  # the last bytes of what was fed before
        self._piece = b""  # of the body, in what is fed
        self._size = 0  # bytes of what is fed
        self._body = 0  # bytes of the body, in what is fed
        self._excess = 0  # bytes fed before that are neither a complete head nor body, nor worth it
        self._interims = 0
        self._head = False
        self.complete = False
        self.keep_alive = False
        self.until_eof = False
        self._parser = HttpResponseParser(self)

    def begin(self, response: Response, *, head: bool) -> None:
        """Expects a response, to a HEAD request if `head`. May be called again while `keep_alive`."""
        self._response = response
        self._headers = []
        self._fresh = True
        self._tail = self._piece = b""
        self._body = self._excess = self._interims = 0
        self._head = head
        self.complete = self.until_eof = False

    def feed(self, data: bytes) -> bool:
        """Parses what came; tells whether that ended the head or had some of the body. Raises BadResponse."""
        self._size = len(data)
        in_head = self._headers is not None
        if self._fresh:
            if (self._held or data[:_START_SIZE] not in _STARTS) and not (data := self._opening(data)):
                return False
            self._fresh = False
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            if not self.complete:
                cause = error.__context__
                raise (cause if isinstance(cause, BadResponse) else BadResponse(f"not HTTP/1.1: {error}")) from error
            self.keep_alive = False  # a complete response, and then bytes nobody asked for
        if self.complete:
            piece, self._piece = self._piece, b""
            # httptools passes over line ends that follow a message. None do where the data ends with a piece of a body
            # of known length that has something else in it.
            if self.keep_alive and (not self._response.length or piece[0] in _LINE_ENDS or not data.endswith(piece)):
                self.keep_alive = self._ends(data, piece, in_head=in_head)
            return True
        self._tail = self._last(data)
        self._piece = b""
        if in_head and self._headers is None:
            return True
        body, self._body = self._body, 0
        excess = self._excess + self._size - _WORTH * body
        self._excess = excess = max(0, excess)
        if excess > HEAD_LIMIT:
            raise BadResponse("too many bytes that are neither a complete head nor body")
        return body > 0

    def _opening(self, data: bytes) -> bytes:
        """Returns what is there of the final response, nothing while it has not begun; interim ones are passed over."""
        data = self._held + data
        while data[:_START_SIZE] not in _STARTS:
            if data.startswith(_INTERIM_START):
                end = data.find(_END) + len(_END)
                if end >= len(_END):
                    self._pass_over(data[:end])
                    data = data[end:]
                    continue
            elif len(data) >= _START_SIZE:
                raise BadResponse("not HTTP/1.1")
            if len(data) > INTERIM_HEAD_LIMIT:
                raise BadResponse("the head of an interim response is too large")
            self._held = data
            return b""
        self._held = b""
        return data

    def _pass_over(self, head: bytes) -> None:
        self._interims += 1
        if self._interims > INTERIM_LIMIT or not _INTERIM.fullmatch(head):
            raise BadResponse("interim responses that are too many, or not valid")

    def _last(self, data: bytes) -> bytes:
        return data[-5:] if len(data) > 4 else (self._tail + data)[-5:]

    def _ends(self, data: bytes, piece: bytes, *, in_head: bool) -> bool:
        """Tells whether the response ended with the last byte of `data`, which began inside its head if `in_head`.

        `piece` is what came of the body last.
        """
        if not self._response.length:
            last = self._last(data)
            return last.endswith(_END) and last[0] not in _LINE_ENDS
        if not in_head:
            return len(piece) == len(data)
        data = self._tail + data  # the end of the head may have come in two pieces
        return data.find(_END) + len(_END) + len(piece) == len(data)

    # What httptools says

    def on_message_begin(self) -> None:
        """A status line starts."""
        if self.complete:
            raise BadResponse("a second response")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header is complete, or a trailer, which nobody asked for."""
        headers = self._headers
        if headers is not None:
            headers.append((name.lower(), value.rstrip()))
        elif name.lower() in _OF_CONNECTION:
            self.keep_alive = False

    def on_headers_complete(self) -> None:
        """The head is complete."""
        parser, response, headers = self._parser, self._response, self._headers
        assert headers is not None
        if len(headers) > HEADERS_LIMIT or (
            self._excess + self._size > HEAD_LIMIT
            and sum(len(name) + len(value) for name, value in headers) > HEAD_LIMIT
        ):
            raise BadResponse("the response head is too large")
        response.named = named = dict(headers)
        stated, coding = named.get(b"content-length"), named.get(b"transfer-encoding")
        keep_alive = parser.should_keep_alive() and not self._interims
        if stated is not None:
            response.length = _lengths[stated]
        elif coding is not None:
            self._check_coding(coding, headers)
        else:
            self.until_eof = True
        if (connection := named.get(b"connection")) is not None and connection.lower() != b"keep-alive":
            keep_alive = False
        status = parser.get_status_code()
        if self._head or status in BODILESS:
            self.complete = True
            if response.length or coding is not None:
                keep_alive = False  # what is announced may follow all the same
            response.length = None
        self.keep_alive = keep_alive
        self._headers = None
        self._excess = 0
        response.headers = headers
        response.status = status

    def _check_coding(self, coding: bytes, headers: Headers) -> None:
        """Refuses all codings but chunked alone, once, in HTTP/1.1. httptools refuses a length beside it."""
        if (
            coding.lower() != b"chunked"
            or sum(name == b"transfer-encoding" for name, _ in headers) > 1
            or self._parser.get_http_version() != "1.1"
        ):
            raise BadResponse("a transfer coding that was not asked for")

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if self.complete:
            raise BadResponse("a body where none belongs")
        self._piece = body
        self._body += len(body)
        self._response.put(body)

    def on_message_complete(self) -> None:
        """The end of the response."""
        self.complete = True


def _size(headers: Headers) -> int:
    return sum(len(name) + len(value) for name, value in headers)


def _length(stated: bytes) -> int:
    """Returns the length that a header states. httptools refuses a second one."""
    if not stated.isdigit() or len(stated) > LENGTH_DIGITS or (stated[0] == _ZERO and len(stated) > 1):
        raise BadResponse("a content-length that is no plain number")
    return int(stated)


_lengths = Remembered(_length, len)
