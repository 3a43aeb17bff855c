"""What is kept for readers of the tail, and what becomes of one who is told nothing for a while."""

import asyncio

import pytest

from gen.ingate.exchanges.v1 import exchange_service_pb2 as pb
from ingate.exchanges import arrivals
from ingate.exchanges.arrivals import Place
from ingate.exchanges.backlog import answer
from ingate.exchanges.recent import ENTRY_BYTES, Entry, Recent
from ingate.exchanges.tail import Tail

ORG = "0198c0de-0000-7000-8000-00000000000a"


def entry(number):
    place = Place(number, f"e{number}", number)
    return Entry(place, (), answer(place, ORG, exchange={"request_id": place.id}))


@pytest.fixture
def recent():
    made = Recent()
    made.begin(0, 0)
    return made


def test_the_oldest_goes_and_its_readers_notice(recent):
    """Whoever has read up to it finds the link cut; others read on."""
    start = recent.first
    entries = [entry(number) for number in range(1, 6)]
    for one in entries:
        recent.add(one, 2 * ENTRY_BYTES)
    assert start.cut
    assert [one.cut for one in entries] == [True, True, False, False, False]
    assert entries[2].next is entries[3]
    assert entries[3].next is entries[4] is recent.last
    assert (recent.size, recent.ids) == (2 * ENTRY_BYTES, {"e4", "e5"})
    assert recent.find(Place(2, "e2", 0)) is None
    assert recent.find(Place(3, "e3", 9)) is entries[2]
    assert recent.find(Place(9, "", 0)) is entries[4]


def test_the_newest_stays_however_large(recent):
    """It is what everybody is about to be told."""
    for number in (1, 2):
        recent.add(entry(number), 1)
    assert recent.first.next is recent.last
    assert recent.last.place.number == 2


async def test_all_readers_are_woken(recent):
    """Also when there are more than are woken in a turn, or some have left meanwhile."""
    waiting = [asyncio.create_task(recent.news(60.0)) for _ in range(100)]
    await asyncio.sleep(0)
    recent.tell()
    for one in waiting[::7]:
        one.cancel()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert {one for one in found if not isinstance(one, asyncio.CancelledError)} == {True}
    assert not recent.waiting
    assert await recent.news(0.001) is False
    assert not recent.waiting


async def test_what_comes_in_the_moment_of_silence_is_told(recent, monkeypatch):
    """A new cursor stands behind all that was told, and not behind what has come just now."""
    tail = Tail(None)

    async def news(_self, _seconds):
        number = recent.end + 1
        recent.add(entry(number), 1 << 20)
        recent.end = number
        return False

    monkeypatch.setattr(Recent, "news", news)
    told = tail._on(pb.TailExchangesRequest(), ORG, recent.first.place, recent)
    for number in range(1, 4):
        one = await anext(told)
        assert (one.exchange.request_id, arrivals.decode(one.cursor, ORG).number) == (f"e{number}", number)
    await told.aclose()
