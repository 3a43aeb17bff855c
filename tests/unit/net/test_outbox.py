"""What is written in a turn of the loop, and when it is sent."""

import asyncio

import pytest
from structlog.testing import capture_logs

from ingate.net.outbox import Corked, Outbox


class Wire:
    """A transport that notes in a list, which may be shared, what it is told."""

    def __init__(self, told, name="", *, half_closes=True):
        self.told, self.name, self.ended, self.half_closes = told, name, False, half_closes

    def write(self, data):
        self.told.append(self.name + bytes(data).decode())

    def writelines(self, pieces):
        self.write(b"".join(pieces))

    def write_eof(self):
        self.told.append("<eof>")

    def can_write_eof(self):
        return self.half_closes

    def close(self):
        self.ended = True
        self.told.append("<closed>")

    abort = close

    def pause_reading(self):
        self.told.append("<paused>")

    def resume_reading(self):
        self.told.append("<resumed>")

    def is_closing(self):
        return self.ended


def corked(outbox, told, name=""):
    return Corked(Wire(told, name), outbox)


async def turn():
    """Returns when everything that was ready to run has run."""
    await asyncio.sleep(0)


async def test_nothing_is_sent_before_the_turn_ends():
    """Then all of it is, a connection at a time, in the order in which they began to write."""
    told, outbox = [], Outbox()
    one, two = corked(outbox, told, "1:"), corked(outbox, told, "2:")
    one.write(b"a")
    two.write(b"b")
    one.write(memoryview(b"c"))
    assert told == []
    await turn()
    assert told == ["1:ac", "2:b"]
    two.write(b"d")
    await turn()
    assert told == ["1:ac", "2:b", "2:d"]


async def test_what_is_ready_to_run_still_writes_in_the_same_turn():
    """All answers that are recorded together go out together."""
    told, outbox = [], Outbox()
    connections = [corked(outbox, told, f"{number}:") for number in range(3)]

    async def answer(connection):
        connection.write(b"x")

    async with asyncio.TaskGroup() as tasks:
        for connection in connections:
            tasks.create_task(answer(connection))
        await turn()
        assert told == []
        await turn()
        assert told == ["0:x", "1:x", "2:x"]


@pytest.mark.parametrize(("end", "last"), [("close", "<closed>"), ("write_eof", "<eof>")])
async def test_an_end_comes_behind_what_was_written(end, last):
    """A caller gets its answer before the connection ends."""
    told = []
    connection = corked(Outbox(), told)
    connection.write(b"a")
    getattr(connection, end)()
    await turn()
    assert told == ["a", last]


async def test_a_transport_without_half_close_sends_and_stays_open():
    """As one under TLS is: whoever lingers closes it later."""
    told = []
    connection = Corked(Wire(told, half_closes=False), Outbox())
    connection.write(b"a")
    connection.write_eof()
    assert told == ["a"]


async def test_an_abort_drops_what_was_not_sent():
    """And a flush before it does not."""
    told = []
    connection = corked(Outbox(), told)
    connection.write(b"a")
    connection.flush()
    connection.write(b"b")
    connection.abort()
    await turn()
    assert told == ["a", "<closed>"]


async def test_a_connection_that_fails_is_ended_alone():
    """Others are sent what waits for them."""
    told, outbox = [], Outbox()
    weak, strong = corked(outbox, told, "1:"), corked(outbox, told, "2:")
    weak.write("no bytes")
    strong.write(b"b")
    with capture_logs() as logs:
        await turn()
    assert told == ["<closed>", "2:b"]
    assert [entry["event"] for entry in logs] == ["not_sent"]


async def test_much_is_sent_at_once_and_in_order():
    """So that the transport says when it has enough."""
    told = []
    connection = corked(Outbox(), told)
    connection.write(b"a")
    connection.write(b"b" * 100_000)
    assert told == ["a" + "b" * 100_000]
    connection.write(b"c")
    await turn()
    assert told[1:] == ["c"]


async def test_reading_is_paused_without_delay():
    """It has nothing to do with what is written."""
    told = []
    connection = corked(Outbox(), told)
    connection.write(b"a")
    connection.pause_reading()
    connection.resume_reading()
    assert told == ["<paused>", "<resumed>"]
    await turn()
