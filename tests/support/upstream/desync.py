"""An upstream that gets out of step with its clients in every way there is, as careless servers and hostile ones do.

It answers what it is asked in the path, `/v1/<way>/<caller>`, and says in each answer whom that is for. What it leaves
unread it takes for the next request. Each connection keeps all it has received.
"""

import asyncio
import re

_REQUEST = re.compile(rb"([A-Z]+) (?:/v1/([a-z-]+)/(\S*)|\S+) HTTP/1\.1\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n")

UNREAD = ("refuse-unread", "answer-unread", "redirect-unread", "early")
"""Ways that do not read the request's body."""


def answer(body, status=200, headers=b""):
    """A response with a length."""
    return b"HTTP/1.1 %d x\r\n%bcontent-length: %d\r\n\r\n%b" % (status, headers, len(body), body)


def _chunked(body, headers=b"", end=b"0\r\n\r\n"):
    head = b"HTTP/1.1 200 x\r\n%btransfer-encoding: chunked\r\n\r\n" % headers
    return head + b"%x\r\n%b\r\n" % (len(body), body) + end


def _cut(body):
    return answer(body + b" and more")[: -len(b" more")]


_WAYS = {
    "well": answer,
    "well-chunked": _chunked,
    "two-answers": lambda body: answer(body) + answer(b"stray " + body),
    "long-body": lambda body: answer(body) + body,
    "line-end-after": lambda body: answer(body) + b"\r\n",
    "line-end-after-chunks": lambda body: _chunked(body) + b"\r\n",
    "length-and-chunks": lambda body: _chunked(body, b"content-length: 3\r\n"),
    "chunks-and-answer": lambda body: _chunked(body, b"content-length: 3\r\n") + answer(b"stray " + body),
    "chunked-twice": lambda body: _chunked(body, b"transfer-encoding: chunked\r\n"),
    "old-chunks": lambda body: _chunked(body).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "two-lengths": lambda body: answer(body, headers=b"content-length: 3\r\n"),
    "odd-length": lambda body: answer(body).replace(b"length: ", b"length: +"),
    "bad-chunks": lambda body: _chunked(body, end=b"zz\r\n"),
    "bare-line-feeds": lambda body: answer(body).replace(b"\r\n", b"\n"),
    "folded": lambda body: answer(body, headers=b"x: a\r\n content-length: 1\r\n"),
    "no-content": lambda body: answer(body, 204),
    "not-modified": lambda body: answer(body, 304),
    "interim": lambda body: b"HTTP/1.1 103 x\r\n\r\n" + answer(body),
    "interim-length": lambda body: b"HTTP/1.1 103 x\r\ncontent-length: 3\r\n\r\n" + answer(body),
    "trailing-length": lambda body: _chunked(body, end=b"0\r\ncontent-length: 3\r\n\r\n"),
    "refuse-unread": lambda body: answer(body, 404),
    "redirect-unread": lambda body: answer(body, 307),
    "answer-unread": answer,
    "early": answer,
}
_THEN = {
    "stray-later": (answer, lambda body: answer(b"stray " + body)),
    "stray-error": (answer, lambda body: answer(b"stray " + body, 500)),
    "idle-bytes": (answer, lambda _: b"\x00"),
    "idle-line-end": (_chunked, lambda _: b"\r\n"),
}
_CLOSES = {"cut": _cut, "cut-chunks": lambda body: _chunked(body, end=b"5\r\nab"), "closes": answer}

WAYS = (*_WAYS, *_THEN, *_CLOSES)


class Desync(asyncio.Protocol):
    """One connection; it is added to `connections`. `later` returns seconds until what comes late."""

    def __init__(self, connections, later):
        self._later = later
        self._buffer = b""
        self.received = bytearray()
        connections.append(self)

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        self.received += data
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0 and not self._transport.is_closing():
            head, rest = self._buffer[: end + 4], self._buffer[end + 4 :]
            asked = _REQUEST.search(head)
            if asked is None:
                self._buffer = rest  # what was in a body and is no request
                continue
            way, caller = (asked[2] or b"well").decode(), asked[3] or b"smuggled"
            stated = _LENGTH.search(head)
            length = 0 if stated is None or way in UNREAD or asked[1] != b"POST" else int(stated[1])
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            self._answer(way, asked[1], b"for " + caller)

    def _answer(self, way, method, body):
        if way in _THEN:
            now, then = _THEN[way]
            self._send(method, now(body))
            asyncio.get_running_loop().call_later(self._later(), self._transport.write, then(body))
        elif way in _CLOSES:
            self._send(method, _CLOSES[way](body))
            self._transport.close()
        else:
            self._send(method, _WAYS.get(way, answer)(body))

    def _send(self, method, data):
        # A HEAD is answered with its body by every other way, at once or later.
        if method == b"HEAD" and len(self.received) % 2:
            head, _, body = data.partition(b"\r\n\r\n")
            self._transport.write(head + b"\r\n\r\n")
            asyncio.get_running_loop().call_later(self._later(), self._transport.write, body)
        else:
            self._transport.write(data)
