"""Pieces of a stream that are handed on in the call in which they arrive, and those that cannot be."""

import asyncio

import pytest

from ingate.net.budget import BodyBudget
from ingate.proxy import relay
from ingate.proxy.abandoned import Abandoned
from ingate.proxy.ports import ClientGone, Truncated
from ingate.proxy.relay import Terms
from ingate.proxy.stage import AT_ONCE, Staged
from ingate.proxy.upstream.response import Response
from tests.unit.proxy.test_relay import Caller, exchange, handed_on

STREAM = {b"content-type": b"text/event-stream"}
ROOM = 64


class Feed:
    """A connection that wakes whoever waits when it is told to. `waits` counts the waits."""

    def __init__(self):
        self.waits = 0
        self.dropped = False

    def wait(self, _seconds):
        self.waits += 1
        self.waiter = asyncio.get_running_loop().create_future()
        return self.waiter

    def wake(self):
        if not self.waiter.done():
            self.waiter.set_result(None)

    def resume(self):
        pass

    def drop(self):
        self.dropped = True


class Open(Caller):
    """A caller that takes pieces at once while `open`, and may leave."""

    open = True

    def push(self, chunk):
        self.events.append(chunk)

    def abort(self):
        self.events.append("aborted")

    async def write(self, chunk):
        if self.gone:
            raise ClientGone
        self.events.append(("written", chunk))


class Doubled:
    """A stage that lets pass twice what came, and a full stop at the end."""

    rest = b"."

    def feed(self, chunk):
        return chunk * 2

    def finish(self):
        rest, self.rest = self.rest, b""
        return rest


@pytest.fixture
def feed():
    return Feed()


@pytest.fixture
def response(feed):
    return Response(feed, 1.0, 200, [*STREAM.items()], STREAM)


@pytest.fixture
async def relaying(response):
    """Returns a function that begins to relay the response with its first piece, and returns caller, exchange, task."""
    tasks = []

    async def begin(stage=None, capture=ROOM):
        caller, under_way = Open(), exchange()
        terms = Terms(caller.settle, capture, Abandoned(drain=False, seconds=0.0, size=0), BodyBudget(0, 0, 0))
        answer = response if stage is None else Staged(response, stage)
        tasks.append(asyncio.create_task(handed_on(under_way, answer, caller, terms)))
        response.put(b"1")
        await asyncio.sleep(0.001)
        del caller.events[:]
        return caller, under_way, tasks[-1]

    yield begin
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def end(response, feed, task):
    response.end()
    feed.wake()
    await task


async def test_a_piece_is_handed_on_as_it_arrives(relaying, response, feed):
    """No task is woken for it, and all of them are kept; the exchange is settled before the caller has the end."""
    caller, under_way, task = await relaying()
    for piece in (b"2", b"3"):
        response.put(piece)
    assert (caller.events, feed.waits, response.buffered) == ([b"2", b"3"], 1, 0)
    await end(response, feed, task)
    assert caller.events == [b"2", b"3", "settled", "ended"]
    assert b"".join(under_way.response_body) == b"123"


async def test_a_caller_that_takes_no_more_is_waited_for(relaying, response, feed):
    """What comes meanwhile is read in its order, and later pieces are handed on again."""
    caller, under_way, task = await relaying()
    caller.open = False
    response.put(b"2")
    caller.open = True
    response.put(b"3")  # not before the one that waits
    assert caller.events == []
    feed.wake()
    await asyncio.sleep(0.001)
    response.put(b"4")
    assert caller.events == [("written", b"23"), b"4"]
    await end(response, feed, task)
    assert b"".join(under_way.response_body) == b"1234"


async def test_what_is_not_kept_is_read_as_before(relaying, response, feed):
    """There is something to do for it that takes time."""
    caller, under_way, task = await relaying()
    response.put(b"x" * ROOM)
    response.put(b"y")
    assert caller.events == []
    feed.wake()
    await end(response, feed, task)
    assert caller.events == [("written", b"x" * ROOM + b"y"), "settled", "ended"]
    assert (b"".join(under_way.response_body), under_way.truncated) == (b"1", True)


async def test_a_stage_changes_what_is_handed_on(relaying, response, feed):
    """More may pass than came: it is handed on, and what of it is not kept is read when there is time."""
    caller, under_way, task = await relaying(Doubled())
    response.put(b"2")
    response.put(b"x" * (ROOM - 4))
    assert caller.events == [b"22", b"x" * 2 * (ROOM - 4)]
    response.put(b"3")  # waits until that is done
    assert len(caller.events) == 2
    feed.wake()
    await end(response, feed, task)
    assert caller.events[2:] == [("written", b"33"), ("written", b"."), "settled", "ended"]
    assert b"".join(under_way.response_body) == b"1122"
    assert under_way.truncated


async def test_much_is_not_fed_to_a_stage_at_once(relaying, response):
    """It is read, and fed a piece at a time."""
    caller, _, _ = await relaying(Doubled(), capture=4 * AT_ONCE)
    response.put(b"x" * (AT_ONCE + 1))
    assert caller.events == []
    assert response.buffered > AT_ONCE


async def test_a_caller_that_has_left_ends_it(relaying, response, feed):
    """The next piece finds it gone, and the connection is dropped."""
    caller, under_way, task = await relaying()
    caller.open, caller.gone = False, True
    response.put(b"2")
    feed.wake()
    await task
    assert (under_way.client_gone, feed.dropped, caller.events) == (True, True, [])


async def test_a_provider_that_breaks_off_is_told_behind_what_came(relaying, response, feed):
    """Nothing that was handed on is lost."""
    caller, under_way, task = await relaying()
    caller.abort = lambda: caller.events.append("aborted")
    response.put(b"data: 2\n\n")
    response.end(Truncated("gone"))
    feed.wake()
    await task
    assert caller.events[0] == b"data: 2\n\n"
    assert under_way.error_code == "provider_error"
    assert b"".join(under_way.response_body) == b"1data: 2\n\n"


class Broken:
    """A stage that fails at its second piece, or at the end. Beside an answer it returns nothing."""

    def __init__(self, at=2, *, beside=False):
        self.at, self.beside, self.fed = at, beside, 0

    def takes(self, _size):
        return True

    def feed(self, chunk):
        self.fed += 1
        if self.fed == self.at:
            raise ZeroDivisionError("secret words")
        return None if self.beside else chunk

    def finish(self):
        if self.at == 0:
            raise ZeroDivisionError("secret words")
        return b""


@pytest.mark.parametrize("pushed", [True, False])
async def test_a_stage_that_fails_breaks_the_answer_off(relaying, response, feed, pushed):
    """It may be there to keep something back: nothing more passes, and what came has no end."""
    caller, under_way, task = await relaying(stage=Broken())
    caller.open = pushed
    for piece in (b"2", b"3"):
        response.put(piece)
    await end(response, feed, task)
    assert caller.events == ["aborted"]
    assert (under_way.error_code, b"".join(under_way.response_body)) == ("provider_error", b"1")


async def test_a_stage_that_fails_at_the_end(relaying, response, feed):
    """Too."""
    _, under_way, task = await relaying(stage=Broken(at=0))
    await end(response, feed, task)
    assert under_way.error_code == "provider_error"


@pytest.mark.parametrize("pushed", [True, False])
async def test_a_stage_beside_the_answer_that_fails_is_left_out(relaying, response, feed, monkeypatch, pushed):
    """The caller gets everything; the record says that it may lack something."""
    broken = Broken(beside=True)
    monkeypatch.setattr(relay, "Capture", lambda *_: broken)
    caller, under_way, task = await relaying()
    caller.open = pushed
    for piece in (b"2", b"3"):
        response.put(piece)
    feed.wake()
    await end(response, feed, task)
    handed = [piece[1] if isinstance(piece, tuple) else piece for piece in caller.events]
    assert (b"".join(it for it in handed if isinstance(it, bytes)), under_way.truncated) == (b"23", True)
    assert caller.events[-2:] == ["settled", "ended"]
    assert broken.fed == 2
