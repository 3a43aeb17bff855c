"""What a request must be before a provider is asked, and what it says of itself."""

import asyncio
import gc
import time
from types import TracebackType

import pytest
import pytest_asyncio

from tests.support.gateway import gateway
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT = "/v1/chat/completions"
ASK = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
ATTRIBUTES = [("X-Ingate-User-Id", "user_id"), ("X-Ingate-Session-Id", "session_id")]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gw():
    async with gateway(grpc=False, demo=True, max_body_bytes=2048) as gw:
        yield gw


@pytest_asyncio.fixture(loop_scope="module")
async def org(gw, up):
    org = await gw.signup()
    await org.provider("openai", "openai", up.url)
    return org


async def assert_refused(org, response, status, code, *, recorded=True):
    """Checks a refusal and its record, and returns the record."""
    assert (response.status_code, response.json()["code"]) == (status, code)
    entries = await org.logs()
    if not recorded:
        assert entries == []
        return None
    [entry] = entries
    assert entry["request_id"] == response.headers["x-ingate-request-id"]
    assert (entry["status_code"], entry["level"], entry["error_code"]) == (status, "warn", code)
    assert (entry["provider"], entry["attempts"]) == ("", [])
    return entry


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("chunked", [False, True], ids=["a length", "chunks"])
async def test_a_body_where_the_method_has_none(org, up, method, chunked):
    """Is refused before a provider is dialled: one that left it unread would take it for the next request."""

    async def pieces():
        yield b"{}"

    response = await org.http.request(method, "/v1/files/f", content=pieces() if chunked else b"{}")

    assert response.status_code == 400
    if method != "HEAD":
        assert response.json()["message"] == f"body is not allowed with {method}"
    [entry] = await org.logs()
    assert (entry["status_code"], entry["error_code"], entry["attempts"]) == (400, "bad_request", [])
    assert up.accepted == 0
    assert (await org.http.request(method, "/v1/files/f")).status_code != 400


@pytest.mark.parametrize(("header", "field"), ATTRIBUTES)
@pytest.mark.parametrize("value", ["u-1", "x" * 256, "Zoë 🦊"])
async def test_a_caller_names_its_user_and_session(org, up, header, field, value):
    """Both are on record, in the filters, and no provider hears of them."""
    response = await org.http.post(CHAT, json=ASK, headers={header: value.encode()})

    assert response.status_code == 200
    assert up.requests[-1].header(header) is None
    entry = await org.last()
    assert entry[field] == value
    assert [it["request_id"] for it in await org.logs(**{field: value})] == [entry["request_id"]]


@pytest.mark.parametrize(("header", "field"), ATTRIBUTES)
async def test_a_name_that_is_too_long_is_refused(org, up, header, field):
    """257 characters are one too many: 400 that names the header."""
    response = await org.http.post(CHAT, json=ASK, headers={header: "x" * 257})

    entry = await assert_refused(org, response, 400, "bad_request")
    assert response.json()["details"][0]["field"] == header
    assert (entry[field], up.seen) == (None, 0)


@pytest.mark.parametrize(
    "refused", [{"X-Ingate-User-Id": "x" * 257}, {"X-Ingate-Provider": "none"}], ids=["long", "none"]
)
async def test_a_refusal_that_is_repeated_leaves_nothing(org, refused):
    """Heads are remembered; what is raised for one must not be, for it would hold what each raising passed through."""

    def tracebacks():
        gc.collect()
        return sum(isinstance(it, TracebackType) for it in gc.get_objects())

    counts = []
    for _ in range(3):
        for _ in range(20):
            assert (await org.http.post(CHAT, json=ASK, headers=refused)).status_code == 400
        counts.append(tracebacks())
    assert counts[-1] < counts[0] + 20


async def test_the_last_request_of_a_minute(gw, org):
    """The limit is exact; beyond it comes 429 with the numbers and the time to wait, and nothing on record."""
    key = await org.make_key(rate_limit_per_minute=3)
    async with gw.client(headers={"X-Ingate-Key": key}) as client:
        if (late := time.time() % 60) > 57:  # not across the minute's end
            await asyncio.sleep(60 - late)
        answers = [await client.post(CHAT, json=ASK) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0", "0"]
    assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"3"}
    refused = answers[-1]
    wait = int(refused.headers["x-ratelimit-reset"]) - time.time()
    assert 0 < wait <= 60
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.json()["code"] == "rate_limited"
    assert len(await org.logs()) == 3


async def test_a_key_without_the_scope_proxy(gw, org, up):
    """403 that names the scope; the attempt is on record."""
    key = await org.make_key(scopes=["read"])
    async with gw.client(headers={"X-Ingate-Key": key}) as client:
        response = await client.post(CHAT, json=ASK)

    await assert_refused(org, response, 403, "forbidden")
    assert "proxy" in response.json()["message"]
    assert up.seen == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"X-Ingate-Key": ""}, 401),
        ({"X-Ingate-Key": "sk-ingate-unknown"}, 401),
        ({"Authorization": "Bearer sk-proj-of-openai"}, 401),
        ({"Authorization": "Bearer {token}"}, 401),
        ({"X-Ingate-Key": "{key}", "Authorization": "Bearer sk-proj-of-openai"}, 200),
        ({"Authorization": "Bearer {key}"}, 200),
        ({"Authorization": "bearer   {key}"}, 200),
        ({"Authorization": "Bearer {key}", "x-api-key": "{key}"}, 200),
        ({"Authorization": "Bearer {key}", "x-api-key": "sk-ingate-another"}, 400),
        ({"x-api-key": "{key}"}, 200),
        ({"x-goog-api-key": "{key}"}, 200),
        ({"api-key": "{key}"}, 200),
    ],
)
async def test_where_the_key_may_stand(gw, org, headers, status):
    """In the gateway's own header or any that an SDK uses; never two that differ, never a session."""
    filled = {name: value.format(key=org.key, token=org.token) for name, value in headers.items()}
    async with gw.client() as client:
        response = await client.post(CHAT, json=ASK, headers=filled)

    assert response.status_code == status


@pytest.mark.parametrize(
    ("headers", "query", "vendor"),
    [
        ({"Authorization": "Bearer sk-proj-canary"}, "", "OpenAI"),
        ({"X-Ingate-Key": "sk-proj-canary"}, "", "OpenAI"),
        ({"X-Ingate-Key": "", "Authorization": "Bearer sk-proj-canary"}, "", "OpenAI"),
        ({"x-api-key": "sk-ant-api03-canary"}, "", "Anthropic"),
        ({"x-goog-api-key": "AIzaSycanary"}, "", "Google"),
        ({"api-key": "sk-canary"}, "", "OpenAI or another vendor"),
        ({}, "?key=AIzaSycanary", "Google"),
    ],
)
async def test_a_vendors_key_in_place_of_ours(gw, up, headers, query, vendor):
    """Is called that, with the way to a key of ours, and not repeated; nothing is forwarded."""
    async with gw.client() as client:
        response = await client.post(CHAT + query, json=ASK, headers=headers)
        managed = await client.get(f"/api/v1/providers{query}", headers=headers)

    assert response.status_code == 401
    assert response.json()["message"].startswith(f"this is a key of {vendor}: ")
    assert "canary" not in response.text
    assert up.seen == 0
    if headers:
        assert (managed.status_code, managed.json()["message"]) == (401, response.json()["message"])
        assert "canary" not in managed.text


@pytest.mark.parametrize("secret", ["sk-proj-of-a-proxy-before", "AIza-of-a-proxy-before"])
async def test_a_key_of_ours_may_look_like_a_vendors(gw, org, secret):
    """Its secret was in use elsewhere: it works, and once it does not, the caller is told what it looks like."""
    key = await org.make_key(secret=secret, external_id=secret)
    async with gw.client(headers={"X-Ingate-Key": key}) as client:
        assert (await client.post(CHAT, json=ASK)).status_code == 200
        await org.admin.delete(f"/api/v1/keys/{secret}")
        async with asyncio.timeout(PATIENCE):
            while (refused := await client.post(CHAT, json=ASK)).status_code == 200:
                pass
    assert refused.json()["message"].startswith("this is a key of ")


async def test_a_key_stops_the_moment_it_is_revoked(gw, org):
    """What the gateway knows of a key does not outlive it."""
    key = await org.make_key()
    async with gw.client(headers={"X-Ingate-Key": key}) as client:
        before = await client.post(CHAT, json=ASK)
        listed = (await org.admin.get("/api/v1/keys")).json()["items"]
        [mine] = [it for it in listed if it["name"] == "another"]
        await org.admin.delete(f"/api/v1/keys/{mine['id']}")
        async with asyncio.timeout(PATIENCE):
            while (await client.post(CHAT, json=ASK)).status_code != 401:
                pass

    assert before.status_code == 200


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"[]", b'{"model":', b"\xff", b'{"a":' * 80 + b"1" + b"}" * 80], ids=range(6)
)
async def test_a_body_that_no_provider_could_read(org, up, content):
    """400 in the gateway's words, on record with the body as it came."""
    response = await org.http.post(CHAT, content=content)

    entry = await assert_refused(org, response, 400, "bad_request")
    assert entry["path"] == CHAT
    assert up.seen == 0


async def test_a_body_that_is_too_large(org, up):
    """413, announced or not."""
    announced = await org.http.post(CHAT, content=b"x" * 4096)

    await assert_refused(org, announced, 413, "payload_too_large")
    assert up.seen == 0


@pytest.mark.parametrize(
    "target",
    ["/v1/../api", "/v1/%2e%2e/api", "/v1/./x", "//v1/x", "/v1//x", "/v1/%00", "/v1/%ff", "/v1/%zz%ff", "/v1/é"],
)
async def test_a_path_that_could_be_read_in_two_ways(gw, org, up, target):
    """400 before anything is asked or recorded."""
    host, _, port = gw.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = [f"GET {target} HTTP/1.1", "Host: gateway", f"X-Ingate-Key: {org.key}", "Connection: close", "", ""]
    writer.write("\r\n".join(lines).encode())
    answer = await asyncio.wait_for(reader.read(), PATIENCE)
    writer.close()

    assert b" 400 " in answer.splitlines()[0]
    assert (up.seen, await org.logs()) == (0, [])


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/x"])
async def test_a_method_that_would_show_the_credential(org, up, path):
    """TRACE is 405 that names what may be sent, with and without a key, CONNECT no request at all; nothing is sent."""
    async with org.gateway.client() as stranger:
        for client in (org.http, stranger):
            response = await client.request("TRACE", path)
            assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
            assert "POST" in response.headers["allow"].split(", ")

            response = await client.request("CONNECT", path)
            assert (response.status_code, response.json()["code"]) == (400, "bad_request")
    assert (up.seen, await org.logs()) == (0, [])


@pytest.mark.parametrize("method", ["M-SEARCH", "PROPFIND"])
async def test_a_method_nobody_uses(org, method):
    """Forwarded where it is a word, refused where it is none; never a failure of ours."""
    response = await org.http.request(method, "/v1/x")

    assert response.status_code in {400, 404}


@pytest.mark.parametrize("path", ["/anything/you/want", "/v1/chat/completions"])
async def test_no_provider_at_all(gw, path):
    """The documented 400, on record; with the header, the header is at fault."""
    org = await gw.signup()
    await org.provider("a", "http", "http://127.0.0.1:9")
    await org.provider("b", "http", "http://127.0.0.1:9")

    response = await org.http.post(path, json=ASK)
    named = await org.http.post(path, json=ASK, headers={"X-Ingate-Provider": "nobody"})

    assert (response.status_code, response.json()["message"].partition(":")[0]) == (400, "Missing X-Ingate-Provider")
    assert named.json()["details"][0]["field"] == "X-Ingate-Provider"
    assert [it["status_code"] for it in await org.logs()] == [400, 400]


@pytest.mark.parametrize("path", ["/v1/realtime?model=gpt-realtime", "/v1/responses"])
async def test_a_websocket_handshake_goes_nowhere(org, up, path):
    """It says so in words; no provider sees a plain GET with its key."""
    handshake = {"connection": "Upgrade", "upgrade": "WebSocket", "sec-websocket-version": "13"}
    response = await org.http.get(path, headers=handshake)

    assert (response.status_code, response.json()["code"]) == (501, "not_implemented")
    assert "WebSocket" in response.json()["message"]
    assert up.accepted == 0
