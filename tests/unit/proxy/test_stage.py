"""Bodies that pass through a stage on their way."""

import asyncio
import itertools
import time

import pytest

from ingate.proxy.ports import Truncated
from ingate.proxy.stage import AT_ONCE, ReadAhead, Staged


class Answer:
    """An UpstreamResponse of the pieces it is given; an error among them is raised."""

    status = 200
    headers = ((b"x", b"1"),)
    named = {b"x": b"1"}  # noqa: RUF012 -- not changed
    length = 9

    def __init__(self, *pieces, here=False):
        self.pieces = list(pieces)
        self.here = here
        self.closed = False

    async def read(self, receiver=None):
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece

    def take(self):
        return b"".join(self.pieces) if self.here else None

    async def aclose(self):
        self.closed = True


class Upper:
    """A stage that holds back what is no letter, until a letter comes."""

    def __init__(self):
        self.fed = []
        self.held = b""

    def feed(self, chunk):
        self.fed.append(chunk)
        self.held += chunk
        if not chunk.isalpha():
            return b""
        held, self.held = self.held, b""
        return held.upper()

    def finish(self):
        held, self.held = self.held, b""
        return held


async def read(response):
    """Returns the pieces of a body."""
    pieces = []
    while piece := await response.read():
        pieces.append(piece)
    return pieces


async def test_what_is_held_back_is_no_end():
    """A piece that does not pass yet is waited for; what is left comes at the end."""
    answer = Answer(b"a", b"1", b"2", b"b", b"3")
    staged = Staged(answer, Upper())
    assert (staged.status, staged.headers, staged.named) == (200, answer.headers, answer.named)
    assert staged.take() is None
    assert await read(staged) == [b"A", b"12B", b"3"]
    assert await staged.read() == b""
    await staged.aclose()
    assert answer.closed


async def test_a_body_that_breaks_off_breaks_off():
    """What is held back is not passed off as an end."""
    staged = Staged(Answer(b"1", Truncated("cut")), Upper())
    with pytest.raises(Truncated):
        await staged.read()


async def test_others_have_their_turn_while_much_passes(monkeypatch):
    """However much came at once, a stage is fed a little at a time."""
    now = itertools.count()  # each piece takes longer than a turn
    monkeypatch.setattr(time, "perf_counter", lambda: next(now))
    stage, turns, done = Upper(), 0, asyncio.Event()

    async def count():
        nonlocal turns
        while not done.is_set():
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    assert await read(Staged(Answer(b"a" * 10 * AT_ONCE), stage)) == [b"A" * 10 * AT_ONCE]
    done.set()
    await counting
    assert max(map(len, stage.fed)) == AT_ONCE
    assert turns >= 10


@pytest.mark.parametrize("here", [False, True])
async def test_what_was_read_ahead_is_read_first(here):
    """Piece by piece, or all at once where all of it is here."""
    answer = Answer(b"b", b"c", here=here)
    ahead = ReadAhead(answer, b"a")
    assert (ahead.status, ahead.headers, ahead.named, ahead.length) == (200, answer.headers, answer.named, 9)
    assert ahead.take() == (b"abc" if here else None)
    if not here:
        assert await read(ahead) == [b"a", b"b", b"c"]
    await ahead.aclose()
    assert answer.closed
