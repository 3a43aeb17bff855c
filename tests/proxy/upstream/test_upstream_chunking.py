import asyncio
import contextlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingate.net.outbox import Outbox
from ingate.proxy.ports import BadResponse, Origin, OutboundRequest, Timeouts, Truncated, UpstreamError
from ingate.proxy.upstream.connection import Connection
from ingate.proxy.upstream.response import Response
from tests.support.exchanges import account, read_all

REQUEST = OutboundRequest("POST", account(Origin("http", "h", 80)), "/", [], b"", Timeouts())


class Wire:
    """The transport of a connection whose bytes a test hands over itself, and the owner of that connection."""

    def __init__(self):
        self.aborted = False
        self.outcomes = []
        self.outbox = Outbox()

    def write(self, data):
        pass

    def abort(self):
        self.aborted = True

    def is_closing(self):
        return self.aborted

    def get_write_buffer_size(self):
        return 0

    def get_extra_info(self, _name):
        return None

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass

    def released(self, _, *, reusable):
        self.outcomes.append(reusable)

    def lost(self, connection):
        pass


def receive(pieces, *, eof=False):
    """Feeds one response in `pieces`; returns (status, headers, body, [reusable]) or raises as the caller sees it."""

    async def run():
        wire = Wire()
        connection = Connection(asyncio.get_running_loop(), wire)
        connection.connection_made(wire)
        response = Response(connection, REQUEST.timeouts.idle)
        arrived = connection.begin(b"", REQUEST, response, last=False)
        connection.transport.flush()
        for piece in pieces:
            if not wire.aborted and not wire.outcomes:
                connection.data_received(piece)
        if eof and not wire.outcomes:
            connection.eof_received()
        if not wire.outcomes:
            connection.drop()
        connection.connection_lost(None)
        await arrived
        if not response.status:
            raise response.failure
        return response.status, response.headers, await read_all(response), wire.outcomes

    return asyncio.run(run())


def cut(data, places):
    edges = [0, *sorted(set(places)), len(data)]
    return [data[start:stop] for start, stop in itertools.pairwise(edges) if start < stop]


def chunked(chunks, trailers=b""):
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks if chunk)
    return b"HTTP/1.1 200 OK\r\nX-A: b\r\ntransfer-encoding: chunked\r\n\r\n" + body + b"0\r\n" + trailers + b"\r\n"


SAMPLE = b"HTTP/1.1 100 Continue\r\nx: y\r\n\r\n" + chunked([b"hello ", b"w" * 17, b"!"], b"x-sum: 1\r\n")
EXPECTED = (200, [(b"x-a", b"b"), (b"transfer-encoding", b"chunked")], b"hello " + b"w" * 17 + b"!", [False])


@pytest.mark.parametrize("place", range(1, len(SAMPLE)))
def test_one_cut_anywhere(place):
    """An interim response, a chunked body and trailers read the same wherever they are cut."""
    assert receive(cut(SAMPLE, [place])) == EXPECTED


def test_byte_by_byte():
    """The same, one byte at a time."""
    assert receive([SAMPLE[i : i + 1] for i in range(len(SAMPLE))]) == EXPECTED


@settings(deadline=None, max_examples=60)
@given(data=st.data(), chunks=st.lists(st.binary(max_size=300), max_size=8))
def test_any_chunks_cut_anyhow(data, chunks):
    """The body is the chunks joined, for every chunking and every segmentation."""
    wire = chunked(chunks)
    places = data.draw(st.lists(st.integers(1, len(wire) - 1), max_size=12))
    assert receive(cut(wire, places))[2:] == (b"".join(chunks), [True])


@settings(deadline=None, max_examples=60)
@given(body=st.binary(max_size=500), data=st.data())
def test_content_length_cut_anyhow(body, data):
    """The same for a stated length; the bytes that follow it are never part of the body and cost the connection."""
    wire = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    places = data.draw(st.lists(st.integers(1, len(wire) - 1), max_size=8))
    extra = data.draw(st.sampled_from([b"", b"H", b"HTTP/1.1 200 OK\r\n\r\n"]))
    pieces = cut(wire, places)
    pieces[-1] += extra
    assert receive(pieces)[2:] == (body, [not extra])


@settings(deadline=None, max_examples=60)
@given(place=st.integers(1, len(SAMPLE) - 1))
def test_every_prefix_is_cut_short(place):
    """A response that ends anywhere before its end is an error, never a shorter body."""
    with pytest.raises(UpstreamError):
        receive([SAMPLE[:place]], eof=True)


@settings(deadline=None, max_examples=150)
@given(garbage=st.binary(max_size=200), prefix=st.sampled_from([b"", SAMPLE[:60], SAMPLE[:-8]]), data=st.data())
def test_garbage_is_an_upstream_error_or_a_response(garbage, prefix, data):
    """No bytes make the client raise anything but its own errors."""
    wire = prefix + garbage
    places = data.draw(st.lists(st.integers(0, len(wire)), max_size=5))
    with contextlib.suppress(UpstreamError):
        receive(cut(wire, places), eof=True)


def test_errors_come_after_the_good_pieces():
    """The kind of failure is kept: bad framing is a bad response, an early end is a truncated one."""
    head = SAMPLE[: SAMPLE.index(b"w" * 17)]
    with pytest.raises(BadResponse):
        receive([head + b"w" * 17 + b"!!"])
    with pytest.raises(Truncated):
        receive([head], eof=True)
