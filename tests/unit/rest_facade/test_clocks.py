"""The clocks of a connection, seen from its transport."""

import asyncio

import pytest

from ingate.net.budget import BodyBudget
from ingate.net.outbox import Outbox
from ingate.net.turns import Turns
from rest_facade.failures import request_timeout
from rest_facade.http1 import Connection, Heads, Limits
from rest_facade.table import OwnerTable
from tests.support.waiting import PATIENCE


class Wire:
    """A transport that notes what becomes of it."""

    def __init__(self):
        self.written, self.ended = b"", asyncio.Event()

    def get_extra_info(self, _name):
        return None

    def can_write_eof(self):
        return True

    def pause_reading(self):
        pass

    resume_reading = pause_reading

    def is_closing(self):
        return self.ended.is_set()

    def write(self, data):
        self.written += data

    def write_eof(self):
        self.written += b"<eof>"

    def close(self):
        self.ended.set()

    abort = close


class Answering:
    """A service without requests."""

    budget = BodyBudget()
    lingering = receiving = Turns(1, 0.0)
    draining = False
    heads = Heads(OwnerTable(0, (), None, frozenset()), max_target=100)

    def __init__(self, **limits):
        self.limits = Limits(**limits)
        self.outbox = Outbox()

    def opened(self, _connection):
        pass

    def refusal(self, failure):
        return failure.reason.encode()


def connected(**limits):
    connection, wire = Connection(Answering(**limits)), Wire()
    connection.connection_made(wire)
    return connection, wire


async def test_an_idle_connection_ends_after_a_slow_reader_caught_up():
    """The clock for callers that do not read gives way to the one for callers that ask for nothing."""
    connection, wire = connected(idle=0.05, stall=60.0)
    connection.pause_writing()
    connection.resume_writing()
    await asyncio.wait_for(wire.ended.wait(), PATIENCE)


async def test_a_reader_that_never_catches_up_is_dropped():
    """Whatever else the connection waits for."""
    connection, wire = connected(idle=60.0, stall=0.05)
    connection.pause_writing()
    await asyncio.wait_for(wire.ended.wait(), PATIENCE)
    assert wire.written == b""


@pytest.mark.parametrize("pieces", [[b"GET / HTTP/1.1\r\n"], [b"\r\n", b"G", b"E", b"T"]])
async def test_a_head_that_never_ends_is_refused(pieces):
    """Its clock runs from its first byte, and is not set back by the next."""
    connection, wire = connected(idle=60.0, head_time=0.05)
    for piece in pieces:
        connection.data_received(piece)
    await asyncio.wait_for(wire.ended.wait(), PATIENCE)
    assert wire.written.startswith(request_timeout().reason.encode() + b"<eof>")
