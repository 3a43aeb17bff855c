"""The demo model behind the gateway: what goes wrong on purpose, whose responses are whose, and the example traffic."""

import time

import httpx
import pytest
import pytest_asyncio

from ingate.cli.traffic import CALLS
from ingate.providers.demo import names, transport
from tests.support.gateway import gateway
from tests.support.outside import ask, client, command, recorded, spawn
from tests.support.waiting import eventually

MODULE = pytest.mark.asyncio(loop_scope="module")
HELLO = [{"role": "user", "content": "Say hello."}]
CHAT = "/v1/chat/completions"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gw():
    async with gateway(demo=True, grpc=False, demo_models="gpt-4o,claude-x,gemini-y") as gw:
        yield gw


@pytest_asyncio.fixture(loop_scope="module")
async def org(gw):
    return await gw.signup()


async def chat(org, model, **fields):
    return await org.http.post(CHAT, json={"model": model, "messages": HELLO, **fields})


@MODULE
@pytest.mark.parametrize(("status", "level"), [(429, "warn"), (500, "error"), (418, "warn")])
async def test_an_error_is_the_providers_and_is_recorded(org, status, level):
    """The status and the words of the model cross, and the log entry says who said them."""
    answer = await chat(org, f"demo/demo-{status}")
    assert answer.status_code == status
    assert f"demo-{status}" in answer.json()["error"]["message"]
    entry = await org.last()
    assert (entry["status_code"], entry["level"], entry["served_by"]) == (status, level, "demo")


@MODULE
async def test_silence_becomes_504(org, monkeypatch):
    """The gateway gives up on a model that never answers."""
    monkeypatch.setattr(transport, "SILENCE_SECONDS", 0.05)
    answer = await chat(org, "demo-timeout")
    assert answer.status_code == 504
    entry = await org.last()
    assert (entry["error_code"], entry["attempts"][0]["error"]) == ("provider_timeout", "first_byte_timeout")


@MODULE
async def test_a_stream_that_breaks_off_says_so(org):
    """Half of the text comes, then an error event and no end; a whole answer breaks off as a connection does."""
    stream = await chat(org, "demo-cut", stream=True)
    assert "data: [DONE]" not in stream.text
    assert '"error"' in stream.text.splitlines()[-2]
    entry = await org.last()
    assert (entry["level"], entry["error_code"]) == ("error", "provider_error")
    with pytest.raises(httpx.RemoteProtocolError):
        await chat(org, "demo-cut")


@MODULE
async def test_a_slow_stream_comes_token_by_token(org):
    """Tokens arrive one after another, and the first long before the last."""
    asked = {"model": "demo-slow", "messages": HELLO, "stream": True}
    async with org.http.stream("POST", CHAT, json=asked) as answer:
        moments = [time.monotonic() async for _ in answer.aiter_raw()]
    assert len(moments) > 10
    assert moments[-1] - moments[0] > 10 * names.PIECE_SECONDS / 2
    entry = await org.last()
    assert entry["ttft_ms"] < entry["latency_ms"] / 2


@MODULE
async def test_a_response_is_its_organisations_own(gw, org):
    """Another organisation cannot continue, read or delete a response, and learns no more than of one that is not."""
    first = (await org.http.post("/v1/responses", json={"model": "demo", "input": "a secret"})).json()
    stranger = await gw.signup()
    again = await stranger.http.post(
        "/v1/responses", json={"model": "demo", "input": "x", "previous_response_id": first["id"]}
    )
    read = await stranger.http.get(f"/v1/responses/{first['id']}")
    deleted = await stranger.http.delete(f"/v1/responses/{first['id']}")
    assert [answer.status_code for answer in (again, read, deleted)] == [400, 404, 404]
    assert "secret" not in again.text + read.text + deleted.text
    mine = await org.http.get(f"/v1/responses/{first['id']}")
    assert (mine.status_code, mine.json()) == (200, first)


@MODULE
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, {"model": "gpt-4o", "messages": HELLO}),
        ("/v1/messages", {"model": "claude-x", "messages": HELLO, "max_tokens": 50}),
        ("/v1beta/models/gemini-y:generateContent", {"contents": [{"parts": [{"text": "hello"}]}]}),
    ],
)
async def test_names_of_vendors_are_answered_for(org, path, body):
    """The setting names them; the answer and the record say the name, and the price is the demo model's."""
    answer = await org.http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    entry = await org.last()
    assert entry["model"] in {"gpt-4o", "claude-x", "gemini-y"}
    assert (entry["provider"], entry["cost_source"]) == ("demo", "demo")
    assert (await chat(org, "gpt-5")).status_code == 404


@MODULE
async def test_thoughts_and_cached_tokens_are_priced(org):
    """Each bucket is on record at its own rate."""
    turns = [{"role": "user", "content": "rivers " * 60}, {"role": "assistant", "content": "yes"}, *HELLO]
    await org.http.post(CHAT, json={"model": "demo", "messages": turns, "reasoning_effort": "high"})
    entry = await org.last()
    assert entry["cache_read_tokens"] > 0
    assert entry["reasoning_tokens"] > 0
    millionths = entry["input_tokens"] + 0.1 * entry["cache_read_tokens"]
    millionths += 4 * (entry["output_tokens"] + entry["reasoning_tokens"])
    assert float(entry["cost_usd"]) == pytest.approx(millionths / 1_000_000)


async def test_the_example_traffic_comes_and_goes(tmp_path):
    """A first start records it, and `ingate demo clear` takes it beside the running gateway, and leaves real calls."""
    with spawn(tmp_path, "--demo-traffic") as spawned:
        async with client(spawned) as http:
            real = await ask(http)
            await eventually(lambda: recorded_in_all(http, CALLS + 1), 60, "the example traffic is on record")
            with command("demo", "clear", "--data-dir", tmp_path) as child:
                assert await child.wait_exit(60) == 0, child.output
                assert f"deleted {CALLS} exchanges" in child.output
            assert set(await recorded(http)) == {real}
            # Nobody made these calls, so the log has no lines of them.
            assert spawned.child.output.count('"event":"call"') <= 1


async def recorded_in_all(http, number):
    return len(await recorded(http)) == number
