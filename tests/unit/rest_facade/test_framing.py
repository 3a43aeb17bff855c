"""Where messages end, held against the parsers that stand before gateways: llhttp and both of aiohttp's.

Messages are made at random and spoiled at random. `FRAMING_MESSAGES` says how many, `FRAMING_SEED` which.
"""

import asyncio
import os
import random

import httptools
import pytest
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser, HttpRequestParserPy

from ingate.net.budget import BodyBudget
from rest_facade.failures import Refused
from rest_facade.http1 import Body, Heads
from rest_facade.table import OwnerTable

MESSAGES = int(os.environ.get("FRAMING_MESSAGES", "20000"))
SEED = int(os.environ.get("FRAMING_SEED", "1"))
SENTINEL = b"GET /sentinel HTTP/1.1\r\nHost: s\r\n\r\n"
LIMIT = 1 << 20

METHODS = [b"POST", b"GET", b"PUT", b"DELETE", b"HEAD", b"OPTIONS", b"TRACE", b"CONNECT", b"PATCH", b"post", b"QUERY"]
TARGETS = [b"/x", b"/api/v1/keys", b"*", b"x:443", b"http://h/p", b"/a?b#c", b"/\xff", b"/a b"]
VERSIONS = [b"HTTP/1.1"] * 12 + [b"HTTP/1.0", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.2", b"http/1.1", b"HTTP/1.1 "]
HOSTS = [b"Host: h\r\n"] * 20 + [b"", b"Host: h\r\nHost: h\r\n", b"Host : h\r\n", b"Host: h\n", b"Host: h\r\r\n"]
OTHERS = [
    *[b""] * 10,
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Connection: upgrade\r\nUpgrade: websocket\r\n",
    b"Connection: upgrade, close\r\nUpgrade: h2c\r\n",
    b"Upgrade: websocket\r\n",
    b"Connection: Content-Length\r\n",
    b"Expect: 100-continue\r\n",
    b"Trailer: x\r\n",
    b"Content-Encoding: gzip\r\n",
    b"A: b\r\n c: d\r\n",
    b"A: b\r\n\tc\r\n",
    b" A: b\r\n",
    b"A:\r\n",
    b"A: \x00\r\n",
    b"A: \x0b\r\n",
    b"A: \xe9\r\n",
    b"A : b\r\n",
    b"A\r\n",
    b": b\r\n",
    b"A: b\n",
    b"A: b\r",
    b"A_b: c\r\n",
    b"Content_Length: 3\r\n",
    b"Content-Length\x0b: 3\r\n",
    b"X-Content-Length: 3\r\n",
]
LENGTHS = [
    b"Content-Length: %d\r\n",
    b"content-length:%d\r\n",
    b"Content-Length: \t%d \t\r\n",
    b"Content-Length: 000%d\r\n",
    b"Content-Length: %d\r\nContent-Length: %d\r\n",
    b"Content-Length: %d, %d\r\n",
    b"Content-Length: +%d\r\n",
    b"Content-Length: -%d\r\n",
    b"Content-Length: 0x%d\r\n",
    b"Content-Length: %d_0\r\n",
    b"Content-Length: %d 1\r\n",
    b"Content-Length: %d.0\r\n",
    b"Content-Length: 18446744073709551%d\r\n",
    b"Content-Length: 9999999999999999999999%d\r\n",
    b"Content-Length:\r\n %d\r\n",
    b"Content-Length: %d\n",
    b"Content-Length : %d\r\n",
    b"Content-Length: %d;\r\n",
    b"Content-Length:\r\n",
    b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n",
]
CODINGS = [
    *[b"Transfer-Encoding: chunked\r\n"] * 12,
    b"transfer-encoding:chunked\r\n",
    b"Transfer-Encoding: CHUNKED \r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: chunked, gzip\r\n",
    b"Transfer-Encoding: chunked, chunked\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: \x0bchunked\r\n",
    b"Transfer-Encoding: xchunked\r\n",
    b"Transfer-Encoding: chunked;q=1\r\n",
    b"Transfer-Encoding:\r\n chunked\r\n",
    b"Transfer-Encoding:\r\n",
    b"Transfer-Encoding : chunked\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
]
SIZES = [
    *[b"%x"] * 12, b"%X", b"0%x", b"000000000%x", b"00000000000000000%x", b"0x%x", b"+%x", b"-%x", b" %x", b"%x ",
    b"%x\t", b"%x_0", b"%xg", b"", b"1000000000000000%x", b"fffffffffffffff%x", b"%x\x0b",
]  # fmt: skip
EXTENSIONS = [
    *[b""] * 14, b";a", b";a=b", b"; a = b", b';a="b c"', b';a="b\\"c"', b';a="b', b";", b";;", b";=", b";a=", b" ;a",
    b";a\n", b";a\r", b";\x00", b";\xff", b";a=\x7f", b';a="\r\n"', b";a b", b",a",
]  # fmt: skip
ENDS = [*[b"\r\n"] * 24, b"\n", b"\r", b"", b"\r\r\n", b"\n\r\n", b" \r\n"]
TRAILERS = [
    *[b""] * 10, b"A: b\r\n", b"A: b\r\nC: d\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n",
    b"A\r\n", b"A: b\n", b" a: b\r\n", b": b\r\n", b"A: b\r\n c\r\n", b"A:\r\n", b"A : b\r\n", b"A: \x00\r\n",
    b"GET / HTTP/1.1\r\n",
]  # fmt: skip
SPOILERS = [b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b"0", b";", b":", b"\x0b", b"\x80", b"\xff", b"-", b"_"]


def message(rng):
    """Returns a message, framed in one of the ways there are and some that there are not."""
    head = b"%b %b %b%b" % (_mostly(rng, METHODS), _mostly(rng, TARGETS), _mostly(rng, VERSIONS), _mostly(rng, ENDS))
    lines = [_mostly(rng, HOSTS), _mostly(rng, OTHERS)]
    kind = rng.random()
    if kind < 0.15:
        body = b""
    elif kind < 0.5:
        body = rng.randbytes(rng.randrange(12))
        form = _mostly(rng, LENGTHS)
        lines.append(form % ((len(body),) * form.count(b"%d")))
    else:
        body = b"".join(_chunk(rng) for _ in range(rng.randrange(3)))
        last = (b"0", _mostly(rng, EXTENSIONS), _mostly(rng, ENDS), _mostly(rng, TRAILERS), _mostly(rng, ENDS))
        body += b"".join(last)
        lines.append(_mostly(rng, CODINGS))
    rng.shuffle(lines)
    return _spoiled(rng, b"%b%b%b%b" % (head, b"".join(lines), _mostly(rng, ENDS), body))


def _mostly(rng, choices):
    return choices[0] if rng.random() < 0.8 else rng.choice(choices)


def _chunk(rng):
    data = rng.randbytes(rng.randrange(1, 20))
    form = _mostly(rng, SIZES)
    size = form % len(data) if b"%" in form else form
    return b"%b%b%b%b%b" % (size, _mostly(rng, EXTENSIONS), _mostly(rng, ENDS), data, _mostly(rng, ENDS))


def _spoiled(rng, text):
    if rng.random() < 0.25:
        at = rng.randrange(len(text) + 1)
        cut = rng.randrange(2)
        return text[:at] + rng.choice(SPOILERS) + text[at + cut :]
    return text


class Idle:
    """What a body asks of its connection."""

    def pause(self):
        pass

    resume = continue_ = pause


heads = Heads(OwnerTable(0, (), None, frozenset()), max_target=1000)
budget = BodyBudget()


def ours(data):
    """Returns (end, method, body, kept) of the message that begins here, None if it is refused or does not end."""
    start = len(data) - len(data.lstrip(b"\r\n"))
    end = data.find(b"\r\n\r\n", start)
    if end < 0:
        return None
    try:
        head, length = heads.read(data[start:end])
    except Refused:
        return None
    body = Body(Idle(), length, budget, "", chunked=head.chunked)
    rest = data[end + 4 :]
    if not body.complete:
        rest = body.feed(rest)
    if not body.complete:
        return None
    read = body.read(LIMIT, 1.0)
    with pytest.raises(StopIteration) as ended:
        read.send(None)
    body.discard()
    return len(data) - len(rest), head.method, ended.value.value, head.keep_alive


class Llhttp:
    """What llhttp makes of bytes: `messages` that are complete, `open` while one has begun, `failed`.

    `left` where another protocol is asked for: it leaves the body to whoever may speak it.
    """

    def __init__(self):
        self.messages, self.open, self.failed, self.left = [], False, False, False
        self._parser = httptools.HttpRequestParser(self)

    def on_message_begin(self):
        self.open, self._body = True, b""

    def on_body(self, data):
        self._body += data

    def on_message_complete(self):
        self.open = False
        self.messages.append((self._parser.get_method(), self._body))

    def feed(self, data):
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.left = True
        except httptools.HttpParserError:
            self.failed = True


class Protocol:
    """What aiohttp's stream asks of its connection."""

    _reading_paused = False

    def pause_reading(self, *_args, **_options):
        pass

    resume_reading = pause_reading


class Aiohttp:
    """What one of aiohttp's parsers makes of bytes, in the same words."""

    def __init__(self, parser, loop):
        self._found, self.failed, self.left = [], False, False
        self._parser = parser(Protocol(), loop, LIMIT, auto_decompress=False)

    @property
    def messages(self):
        return [
            (found.method.encode(), b"".join(getattr(body, "_buffer", ())))
            for found, body in self._found
            if body.is_eof()
        ]

    @property
    def open(self):
        return any(not body.is_eof() for _, body in self._found)

    def feed(self, data):
        try:
            self._found += self._parser.feed_data(data)[0]
        except HttpProcessingError:
            self.failed = True
        self.failed = self.failed or any(body.exception() is not None for _, body in self._found)


def agrees(oracle, text, method, body, kept):
    """Whether who accepts the message sees its end and its body where we do, and the next one behind it.

    llhttp is to accept whatever we do.
    """
    oracle.feed(text)
    if oracle.left or oracle.failed:
        return oracle.left or not isinstance(oracle, Llhttp)
    if oracle.open or oracle.messages != [(method.encode(), body)]:
        return False
    if kept:
        oracle.feed(SENTINEL)
        return oracle.failed or oracle.messages[1:] == [(b"GET", b"")]
    return True


def test_whoever_accepts_a_message_sees_the_same():
    """What we accept, llhttp accepts, and whoever accepts it sees its end where we see it, and the same body."""
    rng = random.Random(SEED)
    loop = asyncio.new_event_loop()
    accepted = bodies = 0
    try:
        for _ in range(MESSAGES):
            made = message(rng)
            found = ours(made + SENTINEL)
            if found is None:
                continue
            end, method, body, kept = found
            accepted += 1
            bodies += bool(body)
            text = (made + SENTINEL)[:end]
            for oracle in (Llhttp(), Aiohttp(HttpRequestParser, loop), Aiohttp(HttpRequestParserPy, loop)):
                assert agrees(oracle, text, method, body, kept), (type(oracle).__name__, text, body)
    finally:
        loop.close()
    # Else the generator has become too wild to show anything.
    assert accepted > MESSAGES / 10
    assert bodies > MESSAGES / 20
