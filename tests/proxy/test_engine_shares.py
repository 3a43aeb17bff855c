"""One key or organisation does not use up a provider for all: what callers are told who wait for a turn in vain."""

import asyncio

import pytest
import pytest_asyncio

from tests.support.gateway import gateway, pool_of
from tests.support.upstream import stall
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT = "/v1/chat/completions"
ASK = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gw():
    async with gateway(grpc=False, upstream_calls_per_origin=4, connect_timeout=0.1) as gw:
        yield gw


async def joined(gw, up):
    """Returns a fresh organisation whose provider is `up`."""
    org = await gw.signup()
    await org.provider("openai", "openai", up.url)
    return org


async def hang(gw, up, org, count, key=None):
    """Returns calls that the provider does not answer."""
    pool = pool_of(gw)
    before = pool.in_use
    headers = {"X-Ingate-Key": key or org.key}
    for _ in range(count):
        up.enqueue(stall())
    calls = [asyncio.create_task(org.http.post(CHAT, json=ASK, headers=headers)) for _ in range(count)]
    await up.wait_for(up.seen + count - (pool.in_use - before))
    assert pool.in_use == before + count
    return calls


async def leave(gw, calls):
    """Has callers leave, and waits until their places are free."""
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await eventually(lambda: pool_of(gw).in_use == 0)


async def test_a_key_that_uses_all_of_its_share(gw, up):
    """It is told 429 and when to come back; other keys and organisations are served meanwhile."""
    org, other = await joined(gw, up), await joined(gw, up)
    calls = await hang(gw, up, org, 2)

    response = await org.http.post(CHAT, json=ASK)

    assert (response.status_code, response.json()["code"]) == (429, "rate_limited")
    assert response.json()["message"] == "the key has 2 calls under way at this provider, as many as it may have"
    assert response.headers["retry-after"] == "1"
    assert (await other.http.post(CHAT, json=ASK)).status_code == 200
    second = await org.make_key()
    assert (await org.http.post(CHAT, json=ASK, headers={"X-Ingate-Key": second})).status_code == 200

    await leave(gw, calls)
    assert (await org.http.post(CHAT, json=ASK)).status_code == 200
    entries = [entry for entry in await org.logs() if entry["status_code"] == 429]
    assert [(it["error_code"], it["attempts"][0]["error"]) for it in entries] == [("rate_limited", "share_used_up")]


async def test_the_gateway_has_all_the_calls_it_may_have(gw, up):
    """Then it is 503, for it is no caller's doing."""
    one, two, third = [await joined(gw, up) for _ in range(3)]
    calls = await hang(gw, up, one, 2) + await hang(gw, up, two, 2)

    response = await third.http.post(CHAT, json=ASK)

    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert response.json()["message"] == "the gateway has 4 calls under way at this provider, as many as it may have"
    assert response.headers["retry-after"] == "1"
    await leave(gw, calls)
    assert (await third.http.post(CHAT, json=ASK)).status_code == 200
