"""Calls while the journal has no room, and calls that never become exchanges: slowed, refused, counted, told."""

import asyncio
import json

import pytest
import pytest_asyncio
import structlog

from ingate.proxy import recorder
from tests.support.forwarding import forward
from tests.support.gateway import gateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT = "/v1/chat/completions"
ASK = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}


@pytest_asyncio.fixture(loop_scope="module")
async def open_gateway(up):
    """Returns an async function that makes a gateway and an organisation on it, closed after the test."""
    opened = []

    async def make(**settings):
        manager = gateway(**settings)
        gw = await manager.__aenter__()
        opened.append(manager)
        org = await gw.signup()
        await org.provider("openai", "openai", up.url)
        return gw, org, gw.core.engine._recorder._journal

    yield make
    for manager in opened:
        await manager.__aexit__(None, None, None)


async def health(gw):
    async with gw.client() as http:
        return await http.get("/healthz?deep")


async def test_a_call_that_could_not_be_recorded_reaches_no_provider(open_gateway, up):
    """It is 503 with a time to come back; readiness says so and names the journal; then all is well again."""
    gw, org, journal = await open_gateway(grpc=False)
    assert (await org.http.post(CHAT, json=ASK)).status_code == 200
    await gw.settled()
    asked = len(up.requests)
    held, journal.counts.bytes = journal.counts.bytes, journal.room.max_bytes
    journal.room.weigh()

    refused = await org.http.post(CHAT, json=ASK)
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert int(refused.headers["retry-after"]) == recorder.RETRY_SECONDS
    assert "journal is full" in refused.json()["message"]
    assert len(up.requests) == asked
    async with gw.client() as http:
        plain = await http.get("/healthz")
    assert plain.status_code == 503
    told = await health(gw)
    assert told.status_code == 503
    assert [it["field"] for it in told.json()["details"]] == ["journal_full"]
    # Management goes on.
    assert (await org.admin.get("/api/v1/keys")).status_code == 200

    journal.counts.bytes = held
    assert (await org.http.post(CHAT, json=ASK)).status_code == 200
    told = (await health(gw)).json()
    assert (told["status"], told["parts"]["degraded"]) == ("ok", [])
    assert told["parts"]["journal"]["refused_calls"] == 1
    assert told["parts"]["refused"] == {"unavailable": 1}
    assert len(await org.logs()) == 2


async def test_it_is_served_where_that_was_chosen(open_gateway):
    """Loudly: readiness stays, and says what it costs."""
    gw, org, journal = await open_gateway(grpc=False, when_unrecorded="serve")
    journal.counts.bytes = journal.room.max_bytes
    journal.room.weigh()
    assert (await org.http.post(CHAT, json=ASK)).status_code == 200
    told = await health(gw)
    assert (told.status_code, told.json()["status"]) == (200, "degraded")
    parts = told.json()["parts"]
    assert parts["degraded"] == ["journal_full", "unrecorded"]
    assert (parts["journal"]["unrecorded_calls"], parts["journal"]["shed_records"]) == (1, 1)


async def test_calls_wait_while_the_journal_is_emptied_and_what_empties_it_does_not(open_gateway, monkeypatch):
    """Records go to the database while every caller waits."""
    monkeypatch.setattr(recorder, "LONGEST_WAIT", 1e6)
    gw, org, journal = await open_gateway(grpc=False, journal_max_bytes=1024 * 1024)
    room = journal.room
    await org.http.post(CHAT, json=ASK)
    held = journal.counts.bytes
    journal.counts.bytes += room.soft
    room.weigh()
    calls = [asyncio.create_task(org.http.post(CHAT, json=ASK)) for _ in range(5)]
    while journal.counts.slowed < 5:  # noqa: ASYNC110 -- nothing signals it
        await asyncio.sleep(0.001)
    # What is no exchange is put aside when shipping comes to it.
    journal.append(b"")
    await gw.settled()
    assert (journal.counts.rejected, journal.counts.pending) == (1, 0)
    assert len(await org.logs()) == 1
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    journal.counts.bytes = held


async def test_refused_calls_leave_a_trace(open_gateway):
    """By whichever door: counted by reason, and logged with the beginning of the key and the address."""
    gw, org, _ = await open_gateway()
    narrow = await org.make_key(rate_limit_per_minute=1)
    wrong = "sk-ingate-" + "w" * 43
    with structlog.testing.capture_logs() as lines:
        async with gw.client() as http:
            assert (await http.post(CHAT, json=ASK)).status_code == 401
            assert (await http.post(CHAT, json=ASK, headers={"X-Ingate-Key": wrong})).status_code == 401
            assert (await http.post(CHAT, json=ASK, headers={"Authorization": f"Bearer {narrow}"})).status_code == 200
            assert (await http.post(CHAT, json=ASK, headers={"Authorization": f"Bearer {narrow}"})).status_code == 429
            two = [("X-Ingate-Key", wrong), ("X-Ingate-Key", narrow)]
            assert (await http.post(CHAT, json=ASK, headers=two)).status_code == 400
            # This one is on record, and so no refusal.
            headers = {"X-Ingate-Key": org.key, "X-Ingate-User-Id": "x" * 300}
            assert (await http.post(CHAT, json=ASK, headers=headers)).status_code == 400
        from gen.ingate.proxy.v1.proxy_service_pb2_grpc import ProxyServiceStub

        stub = ProxyServiceStub(await gw.channel())
        for key in (wrong, narrow):
            with pytest.raises(Exception, match=r"UNAUTHENTICATED|RESOURCE_EXHAUSTED"):
                [event async for event in forward(stub, org, key=key)]
    noted = [(it["reason"], it["key"], it["address"]) for it in lines if it["event"] == "call_refused"]
    assert noted == [
        ("unauthenticated", "", "127.0.0.1"),
        ("unauthenticated", wrong[:14], "127.0.0.1"),
        ("rate_limited", narrow[:14], "127.0.0.1"),
        ("bad_request", wrong[:14], "127.0.0.1"),
        ("unauthenticated", wrong[:14], "127.0.0.1"),
        ("rate_limited", narrow[:14], "127.0.0.1"),
    ]
    assert narrow not in json.dumps(lines, default=str)
    parts = (await health(gw)).json()["parts"]
    assert parts["refused"] == {"unauthenticated": 3, "rate_limited": 2, "bad_request": 1}
