"""What bodies say is learned in pieces before an exchange is recorded, and the exchange is recorded once."""

import asyncio
import gzip

import pytest

from gen.ingate.gateway.v1.grant_pb2 import Grant
from ingate import clock
from ingate.proxy.grants import compile_grant
from ingate.proxy.open_exchange import OpenExchange
from ingate.proxy.recorder import Recorder
from ingate.proxy.request_head import read_head
from tests.support.records import read

START = b'data: {"model":"m","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'


class Kept:
    """A journal that keeps everything."""

    def __init__(self):
        self.records = []
        self.room = None

    def extend(self, records, _light):
        self.records += map(read, records)


def exchange(answered, asked=b"{}", encoding="", media_type="text/event-stream"):
    made = OpenExchange(
        "id",
        compile_grant(Grant(org_id="o", key_id="k")),
        read_head("POST", "/v1/chat/completions", "", [], "sk-ingate-x"),
        clock.now(),
    )
    made.request_body, made.response_body = asked, [answered]
    made.response_encoding, made.media_type = encoding, media_type
    return made


HEAVY = {
    "bomb": lambda: exchange(gzip.compress(START + bytes(2**24)), encoding="gzip"),
    "events": lambda: exchange(gzip.compress(START + b"data: {}\n\n" * 60_000), encoding="gzip"),
    "cut-off-request": lambda: exchange(START, asked=b'{"messages":[' + b"{}," * 80_000 + b"0]}"),
}


@pytest.mark.parametrize("heavy", HEAVY)
@pytest.mark.parametrize("settled", [1, 2])
async def test_others_run_while_a_heavy_exchange_is_read(heavy, settled):
    """Settling takes as many turns as the reading has pieces, and every call waits for the one record."""
    journal = Kept()
    recorder = Recorder(journal, 64 * 1024)
    made = HEAVY[heavy]()
    waits = [asyncio.ensure_future(recorder.settle(made)) for _ in range(settled)]
    turns = 0
    while not waits[-1].done():
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 5
    assert len(journal.records) == 1
    kept = journal.records[0].exchange
    assert kept.model == "m"
    assert (kept.metadata["provider_error"] == "unreadable: too large") == (heavy == "bomb")
    assert not recorder._learning
    await recorder.settle(made)
    assert len(journal.records) == 1


async def test_waiting_may_be_cancelled():
    """An exchange whose host is gone is recorded all the same."""
    journal = Kept()
    recorder = Recorder(journal, 64 * 1024)
    made = HEAVY["events"]()
    wait = asyncio.ensure_future(recorder.settle(made))
    await asyncio.sleep(0)
    wait.cancel()
    await recorder.settle(made)
    assert journal.records[0].exchange.completion == "Hi"


async def test_closing_records_what_is_still_being_read():
    """Nothing that has ended is lost when the process goes."""
    journal = Kept()
    recorder = Recorder(journal, 64 * 1024)
    waits = [asyncio.ensure_future(recorder.settle(made())) for made in HEAVY.values()]
    await asyncio.sleep(0)
    assert not journal.records
    recorder.close()
    assert len(journal.records) == 3
    await asyncio.gather(*waits, return_exceptions=True)
    assert len(journal.records) == 3


async def test_what_is_small_or_left_to_the_core_costs_no_task():
    """Ordinary exchanges are recorded in the turn in which they end."""
    journal = Kept()
    recorder = Recorder(journal, 64 * 1024)
    for made in (exchange(START), exchange(gzip.compress(START), encoding="gzip")):
        recorder.settle(made)
        assert not recorder._learning
    await asyncio.sleep(0)
    assert [kept.exchange.model for kept in journal.records] == ["", "m"]
