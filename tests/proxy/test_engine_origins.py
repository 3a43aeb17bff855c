"""Pages of other origins: preflights without a key, answers that browsers may read, and nothing of it unless set."""

import httpx
import pytest

from tests.support.gateway import checked, gateway
from tests.support.upstream import sse, status

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORIGIN = "https://chat.example"
PATHS = [
    "/v1/chat/completions",
    "/v1/messages",
    "/v1beta/models/gemini-2.5-flash:generateContent",
    "/api/chat",
    "/v1/models",
    "/anything/else",
    "/api/v1/logs",
    "/api/v1/nowhere",
]
ASKS = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,x-stainless-lang",
}
CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}


def cors_of(answer):
    """Returns the headers by which a browser decides."""
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


@pytest.mark.parametrize("listed", [f"https://other.example, {ORIGIN}", "*"])
async def test_a_listed_origin_may_call_and_read(up, listed):
    """Preflights of the API and the proxy show no key and reach no provider; every answer can be read."""
    async with gateway(grpc=False, cors_origins=listed) as gw, gw.client() as stranger:
        for path in PATHS:
            told = await stranger.options(path, headers=ASKS)
            assert (told.status_code, told.content) == (204, b"")
            assert told.headers["access-control-allow-origin"] == ("*" if listed == "*" else ORIGIN)
            assert told.headers["access-control-allow-headers"] == ASKS["Access-Control-Request-Headers"]
            assert "POST" in told.headers["access-control-allow-methods"]
            assert int(told.headers["access-control-max-age"]) > 0
            assert ("vary" in told.headers) == (listed != "*")
        assert up.requests == []

        org = await gw.signup()
        await org.provider("openai", "openai", up.url, api_key="sk-upstream")
        theirs = [("content-type", "application/json"), ("access-control-allow-origin", "https://provider.example")]
        up.enqueue(status(200, theirs, b"{}"))
        up.enqueue(sse(["[DONE]"]))
        up.enqueue(status(404, theirs, b"{}"))
        answers = [await org.http.post("/v1/chat/completions", json=CHAT, headers={"Origin": ORIGIN}) for _ in range(3)]
        answers.append(await stranger.post("/v1/chat/completions", json=CHAT, headers={"Origin": ORIGIN}))
        answers.append(await org.http.get("/api/v1/logs", headers={"Origin": ORIGIN}))
        answers.append(await stranger.get("/api/v1/logs", headers={"Origin": ORIGIN}))
        assert [answer.status_code for answer in answers] == [200, 200, 404, 401, 200, 401]
        for answer in answers:
            assert answer.headers.get_list("access-control-allow-origin") == ["*" if listed == "*" else ORIGIN]
            assert "X-Ingate-Request-Id" in answer.headers["access-control-expose-headers"]


async def test_another_origin_may_not(up):
    """It hears that the origin matters, and no more; without an origin a call is as it ever was."""
    async with gateway(grpc=False, cors_origins=ORIGIN) as gw:
        org = await gw.signup()
        await org.provider("openai", "openai", up.url, api_key="sk-upstream")
        for origin in ("https://chat.example.evil", "http://chat.example", "https://chat.example:444", "null"):
            told = await org.http.options("/v1/chat/completions", headers={**ASKS, "Origin": origin})
            answer = await org.http.post("/v1/chat/completions", json=CHAT, headers={"Origin": origin})
            assert (told.status_code, answer.status_code) == (204, 200)
            assert cors_of(told) == cors_of(answer) == {}
            assert "Origin" in told.headers["vary"]
        checked(await org.http.post("/v1/chat/completions", json=CHAT))


async def test_nothing_is_said_unless_set(up):
    """No origin may read anything, whatever a provider says; OPTIONS is proxied with a key."""
    async with gateway(grpc=False) as gw, gw.client() as stranger:
        org = await gw.signup()
        await org.provider("openai", "openai", up.url, api_key="sk-upstream")
        assert (await stranger.options("/v1/chat/completions", headers=ASKS)).status_code == 401
        assert (await stranger.options("/api/v1/logs", headers=ASKS)).status_code == 204
        up.enqueue(status(200, [("access-control-allow-origin", "*")], b"{}"))
        answer = await org.http.post("/v1/chat/completions", json=CHAT, headers={"Origin": ORIGIN})
        assert (answer.status_code, cors_of(answer)) == (200, {})
        up.enqueue(status(200, [], b"{}"))
        assert (await org.http.options("/v1/chat/completions")).status_code == 200
        assert up.requests[-1].method == b"OPTIONS"


async def test_preflights_share_a_connection_with_calls(up):
    """One after another on one connection, as browsers do, and also where a body comes with one."""
    async with gateway(grpc=False, cors_origins="*") as gw:
        org = await gw.signup()
        await org.provider("openai", "openai", up.url, api_key="sk-upstream")
        one = httpx.Limits(max_connections=1)
        async with gw.client(limits=one, headers={"X-Ingate-Key": org.key}) as client:
            for _ in range(3):
                assert (await client.options("/v1/chat/completions", headers=ASKS)).status_code == 204
                checked(await client.post("/v1/chat/completions", json=CHAT, headers={"Origin": ORIGIN}))
            told = await client.request("OPTIONS", "/v1/chat/completions", headers=ASKS, content=b"x" * 100)
            assert told.status_code == 204
            checked(await client.post("/v1/chat/completions", json=CHAT, headers={"Origin": ORIGIN}))
