"""Bodies cross byte for byte, whatever they are, however they are cut and coded."""

import gzip
import json
import random

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.gateway import gateway
from tests.support.upstream import (
    JSON,
    SSE,
    ScriptedUpstream,
    at,
    byte_by_byte,
    event,
    inside_crlf,
    random_cuts,
    respond,
    sse,
    status,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

USAGE = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}
ASK = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Grüße 🦊"}]}
WHOLE = (
    '{"id":"x","model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"Grüße 🦊"},'
    '"finish_reason":"stop"}],  "usage":{"prompt_tokens":11,"completion_tokens":5,"total_tokens":16}}\n'
).encode()
EVENTS = [
    {"model": "gpt-4o-mini", "choices": [{"index": 0, "delta": {"content": "Grüße "}}]},
    {"model": "gpt-4o-mini", "choices": [{"index": 0, "delta": {"content": "🦊"}}]},
    {"model": "gpt-4o-mini", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"model": "gpt-4o-mini", "choices": [], "usage": USAGE},
    "[DONE]",
]
STREAM = b": a comment\n\n" + b"".join(map(event, EVENTS))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def up():
    async with ScriptedUpstream(keep=20) as up:
        yield up


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def org(up):
    async with gateway(grpc=False) as gw:
        org = await gw.signup()
        await org.provider("openai", "openai", up.url, api_key="sk-upstream")
        await org.provider("own", "http", up.url)
        yield org


async def fetch(org, method="POST", path="/v1/chat/completions", **options):
    """Calls through the gateway; returns the response and its body as it came, not decompressed."""
    options = {"json": ASK, **options} if method == "POST" and "content" not in options else options
    async with org.http.stream(method, path, **options) as response:
        return response, b"".join([piece async for piece in response.aiter_raw()])


def assert_learned(entry):
    """Checks that the record knows what the answer said."""
    counts = [entry[f"{name}_tokens"] for name in ("input", "output", "total")]
    assert (counts, entry["completion"], entry["metadata"]) == ([11, 5, 16], "Grüße 🦊", {"finish_reason": "stop"})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.builds(random_cuts, st.integers(0, 2**32), st.integers(1, 200)),
    framing=st.sampled_from(["length", "chunked", "close"]),
)
async def test_every_chunking_of_a_whole_answer(org, up, cut, framing):
    """However the wire cuts head, framing and body, the caller gets the same bytes."""
    up.enqueue(respond(200, JSON, WHOLE, framing=framing, cut_wire=cut))

    response, body = await fetch(org)

    assert (response.status_code, body) == (200, WHOLE)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.builds(random_cuts, st.integers(0, 2**32), st.integers(1, 200)),
    coding=st.sampled_from([None, None, "gzip", "br"]),
    newline=st.sampled_from([b"\n", b"\r\n", b"\r"]),
)
async def test_every_chunking_of_a_stream(org, up, cut, coding, newline):
    """Events may be cut anywhere, use any line end and be compressed: same bytes, same facts."""
    stream = STREAM.replace(b"\n", newline)
    expected = []

    def kept(data):
        expected.append(data)
        return cut(data)

    up.enqueue(sse([stream], coding=coding, cut=kept))

    response, body = await fetch(org, json={**ASK, "stream": True, "stream_options": {"include_usage": True}})

    assert response.headers.get("content-encoding") == coding
    assert body == expected[0]


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "deflate"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_compressed_answer_is_read_without_being_changed(org, up, coding, stream):
    """The caller gets the compressed bytes, the record what they unpack to."""
    up.enqueue(sse([STREAM], coding=coding) if stream else respond(200, JSON, WHOLE, coding=coding))

    response, body = await fetch(org)

    assert response.headers["content-encoding"] == coding
    assert body != (STREAM if stream else WHOLE)
    entry = await org.last()
    assert_learned(entry)
    assert entry["response_body"] == (STREAM.decode() if stream else json.loads(WHOLE))


@pytest.mark.parametrize("cut", [byte_by_byte, inside_crlf, at(-1), at(1, 2, -2)], ids=["bytes", "crlf", "end", "ends"])
async def test_usage_is_found_whatever_the_cut(org, up, cut):
    """What is learned of a stream does not depend on where it is cut."""
    up.enqueue(sse([STREAM.replace(b"\n", b"\r\n")], cut_wire=cut))

    _, body = await fetch(org)

    assert body == STREAM.replace(b"\n", b"\r\n")
    assert_learned(await org.last())


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 1024 * 1024, 1024 * 1024 + 1, 5_000_000])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_bodies_of_any_size_and_content(org, up, size, framing):
    """Binary both ways: the provider gets the caller's bytes, the caller the provider's."""
    sent, answered = random.Random(size).randbytes(size), random.Random(size + 1).randbytes(size)
    up.enqueue(
        respond(200, [("content-type", "audio/mpeg")], answered, framing=framing, cut=random_cuts(size, 100_000))
    )

    response, body = await fetch(org, path="/any/thing", content=sent, headers={"X-Ingate-Provider": "own"})

    assert body == answered
    assert up.requests[-1].body == sent
    if framing == "length":
        assert response.headers["content-length"] == str(size)
    entry = await org.last()
    assert entry["truncated"] is (size > 1024 * 1024)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 409, 422, 429, 500, 502, 503, 529])
async def test_a_providers_error_is_the_providers(org, up, code):
    """Status, headers and body of a provider's own error are untouched, even those the gateway has words for."""
    body = b'{"error":  {"message": "no\\u0020"}}'
    up.enqueue(status(code, [*JSON, ("x-request-id", "req_7"), ("retry-after", "9")], body))

    response, got = await fetch(org)

    assert (response.status_code, got) == (code, body)
    assert (response.headers["x-request-id"], response.headers["retry-after"]) == ("req_7", "9")
    entry = await org.last()
    assert (entry["status_code"], entry["level"]) == (code, "warn" if code < 500 else "error")
    assert entry["error_code"] is None
    assert [attempt["status_code"] for attempt in entry["attempts"]] == [code]


@pytest.mark.parametrize(
    ("method", "answer", "expected"),
    [
        ("HEAD", respond(200, [*JSON, ("content-length", "1234")], b"", framing="none"), (200, "1234")),
        ("HEAD", respond(200, SSE, b"", framing="none"), (200, None)),
        ("GET", respond(204, [("x-kept", "1")], b"", framing="none"), (204, None)),
        ("DELETE", respond(204, [("x-kept", "1")], b"", framing="none"), (204, None)),
        ("GET", respond(304, [("etag", '"e"')], b"", framing="none"), (304, None)),
    ],
    ids=["head", "head-of-a-stream", "204", "delete", "304"],
)
async def test_answers_without_a_body(org, up, method, answer, expected):
    """Their heads cross as they are, and the connection serves the next request."""
    up.enqueue(answer)

    response, body = await fetch(org, method, "/v1/files/f", headers={"If-None-Match": '"e"'})
    after, _ = await fetch(org)

    assert (response.status_code, response.headers.get("content-length")) == expected
    assert body == b""
    assert "transfer-encoding" not in response.headers
    assert after.status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
async def test_any_method_and_path_reach_a_plain_http_provider(org, up, method):
    """Path and query as they were written; x- headers go too."""
    target = "/any/thing%20you/want:now;v=1,2?q=%C3%BC&empty=&a=1&a=2"
    headers = {"X-Ingate-Provider": "own", "X-Tenant": "7"}
    up.enqueue(respond(200, [("content-type", "text/plain")], b"" if method == "HEAD" else b"ok"))
    body = b"{}" if method in {"POST", "PUT", "PATCH"} else b""

    response, _ = await fetch(org, method, target, headers=headers, content=body)

    assert response.status_code == 200
    sent = up.requests[-1]
    assert (sent.method.decode(), sent.target.decode()) == (method, target)
    assert sent.header("x-tenant") == b"7"
    assert sent.header("x-ingate-provider") is None


@pytest.mark.parametrize(
    ("body", "model"),
    [
        (rb'{"model":"own/a","mod\u0065l":"openai/gpt-last","messages":[]}', "gpt-last"),
        (rb'{"mod\u0065l":"own/a","model":"gpt-last","messages":[]}', "gpt-last"),
        (b'{"model":"gpt-first","model":"openai/gpt-last","messages":[]}', "gpt-last"),
    ],
)
async def test_of_repeated_models_the_last_counts(org, up, body, model):
    """It routes, it is what a JSON parser at the provider finds, and it is on record."""
    answer = {"choices": [{"message": {"content": "ok"}}]}
    up.enqueue(respond(200, JSON, json.dumps(answer).encode()))

    response, _ = await fetch(org, content=body)

    assert response.headers["x-ingate-served-by"] == "openai"
    assert json.loads(up.requests[-1].body)["model"] == model
    entry = await org.log(response.headers["x-ingate-request-id"])
    assert (entry["model"], entry["provider"]) == (model, "openai")


async def test_what_connection_names_crosses_in_neither_direction(org, up):
    """A header that either side names for its own connection ends there; its neighbours go on."""
    named = [
        ("connection", "X-Up, keep-alive"),
        ("x-up", "1"),
        ("x-kept", "2"),
        ("connection", "x-more"),
        ("x-more", "3"),
    ]
    up.enqueue(respond(200, [*JSON, *named], b"{}"))
    headers = [("X-Ingate-Provider", "own"), ("Connection", "x-down, Keep-Alive"), ("X-Down", "1"), ("X-Kept", "2")]

    response, _ = await fetch(org, headers=headers)

    sent = up.requests[-1]
    assert (sent.header("x-down"), sent.header("x-kept"), sent.header("connection")) == (None, b"2", b"keep-alive")
    assert (response.headers.get("x-up"), response.headers.get("x-more"), response.headers["x-kept"]) == (
        None,
        None,
        "2",
    )
    assert "connection" not in response.headers


async def test_a_compressed_request_is_forwarded_unread(org, up):
    """A body that is coded for the provider is the provider's to decode."""
    packed = gzip.compress(b'{"model":"gpt-4o-mini"}')
    headers = {"content-encoding": "gzip", "content-type": "application/json"}

    response, _ = await fetch(org, content=packed, headers=headers)

    assert response.status_code == 400, "the scripted provider takes plain JSON alone"
    assert (up.requests[-1].body, up.requests[-1].header("content-encoding")) == (packed, b"gzip")


async def test_a_large_body_with_another_model_is_the_callers_but_for_that(org, up):
    """The provider's name is taken out of it wherever it stands; all other bytes of megabytes are the caller's."""
    up.enqueue(respond(200, JSON, b"{}"))
    before, after = b'{"model":"openai/gpt-4o","x":"' + b"a" * 1_500_000, b'","model": "openai/gpt-4o" }'

    response, _ = await fetch(org, content=before + after)

    assert response.status_code == 200
    assert up.requests[-1].body == (before + after).replace(b"openai/", b"")
    entry = await org.log(response.headers["x-ingate-request-id"])
    assert (entry["model"], entry["provider"], entry["truncated"]) == ("gpt-4o", "openai", True)


async def test_a_large_body_that_names_its_model_too_often_is_refused(org):
    """As a small one is."""
    for filler in (b"", b"a" * 200_000):
        response, body = await fetch(org, content=b'{%b"x":"%b"}' % (b'"model":"openai/a",' * 17, filler))
        assert (response.status_code, b"more than 16 times" in body) == (400, True)
