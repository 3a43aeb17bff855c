"""Where a response ends and what its body is: what is accepted here, all others read in the same way.

INGATE_FRAMING_MESSAGES sets how many responses are generated.
"""

import asyncio
import contextlib
import os
import random
from collections import Counter

import httptools
import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpResponseParser, HttpResponseParserPy

from ingate.proxy.ports import BadResponse
from ingate.proxy.upstream.parser import Parser
from ingate.proxy.upstream.response import Response
from tests.support.upstream.framings import response

MESSAGES = int(os.environ.get("INGATE_FRAMING_MESSAGES", "20000"))
LAST = 128
"""Bytes that are fed one by one."""
NEXT = b"HTTP/1.1 299 next\r\ncontent-length: 4\r\n\r\nnext"


def ours(data, rng):
    """Returns status, body and whether the connection goes on after it; None for what is refused or incomplete."""
    parser, taken = Parser(), Response(None, 0.0)
    parser.begin(taken, head=False)
    cuts = sorted(rng.randrange(len(data)) for _ in range(rng.randrange(4)))
    try:
        for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True):
            if parser.complete and start < stop:
                parser.keep_alive = False  # as the connection does with what comes when nothing is expected
            elif start < stop:
                parser.feed(data[start:stop])
    except BadResponse:
        return None
    if not parser.complete and not (parser.until_eof and taken.status):
        return None
    return taken.status, b"".join(taken.pieces), parser.complete and parser.keep_alive


class Llhttp:
    """Collects what httptools alone, in its strict mode, makes of bytes: status and body of complete messages."""

    def __init__(self):
        self.messages = []
        self.body = []

    def on_body(self, body):
        self.body.append(body)

    def on_message_complete(self):
        self.messages.append((self.parser.get_status_code(), b"".join(self.body)))
        self.body = []


def llhttp(pieces):
    """Returns the final messages in `pieces`, and the body of one that only the end of the connection ends."""
    taken = Llhttp()
    taken.parser = httptools.HttpResponseParser(taken)
    with contextlib.suppress(httptools.HttpParserError):
        for piece in pieces:
            taken.parser.feed_data(piece)
    return [it for it in taken.messages if it[0] >= 200], b"".join(taken.body)


class Paused:
    """A transport that does not mind."""

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass


def aiohttps(kind, pieces, loop):
    """The same by one of aiohttp's parsers."""
    protocol = BaseProtocol(loop)
    protocol.transport = Paused()
    parser = kind(
        protocol, loop, 2**20, max_line_size=2**20, max_field_size=2**20, read_until_eof=True, auto_decompress=False
    )
    messages = []
    with contextlib.suppress(HttpProcessingError):
        for piece in pieces:
            messages += parser.feed_data(piece)[0]
    whole, rest = [], b""
    for message, payload in messages:
        body = b"".join(getattr(payload, "_buffer", ()))
        if message.code < 200:
            continue
        if payload.is_eof():
            whole.append((message.code, body))
        else:
            rest = body
    return whole, rest


@pytest.mark.timeout(1800)
def test_all_agree_on_what_is_accepted():
    """Llhttp and both parsers of aiohttp find the same body and the same end, where we accept at all."""
    rng = random.Random(20)
    seen = Counter()
    loop = asyncio.new_event_loop()
    others = {
        "llhttp": llhttp,
        "aiohttp": lambda pieces: aiohttps(HttpResponseParser, pieces, loop),
        "aiohttp in Python": lambda pieces: aiohttps(HttpResponseParserPy, pieces, loop),
    }
    for number in range(MESSAGES):
        data = response(rng)
        found = ours(data, rng)
        if found is None:
            seen["refused"] += 1
            continue
        status, body, goes_on = found
        seen["goes on" if goes_on else "ends"] += 1
        for name, parse in others.items():
            if goes_on:
                whole, _ = parse([data + NEXT])
                assert whole == [(status, body), (299, b"next")], (name, number, data, found)
            else:
                # What follows may be an error to others, who are to have read the response before.
                whole, rest = parse([data[:-LAST], *(bytes((byte,)) for byte in data[-LAST:])])
                assert (whole[0] if whole else (status, rest)) == (status, body), (name, number, data, found)
    loop.close()
    assert min(seen["refused"], seen["goes on"], seen["ends"]) > MESSAGES / 20, seen
