"""The demo provider as a transport: paths, methods, errors, and hostile bodies."""

import msgspec
import pytest

from ingate.providers.demo.names import MODELS
from tests.support.demo import MOMENT, ask, ask_json
from tests.support.exchanges import account

HELLO = [{"role": "user", "content": "Say hello"}]
GEMINI = "/v1beta/models/demo"
POSTS = [
    "/v1/chat/completions",
    "/completions",
    "/v1/responses",
    "/v1/responses/input_tokens",
    "/v1/moderations",
    "/v1/images/generations",
    "/v1/audio/speech",
    "/embeddings",
    "/v1/messages",
    "/messages/count_tokens",
    f"{GEMINI}:generateContent",
    f"{GEMINI}:streamGenerateContent?alt=sse",
    f"{GEMINI}:streamGenerateContent",
    f"{GEMINI}:countTokens",
    f"{GEMINI}:embedContent",
    "/models/demo:batchEmbedContents",
    "/api/chat",
    "/api/generate",
    "/api/embed",
    "/api/embeddings",
    "/api/show",
]
GETS = ["/v1/models", "/models", "/v1/models/demo", "/v1beta/models", f"{GEMINI}", "/api/tags", "/api/version"]


async def test_the_same_request_gives_the_same_bytes():
    """Nothing but the clock and the request shapes an answer."""
    body = {"model": "demo", "messages": HELLO, "stream": True}
    assert await ask("/v1/chat/completions", body) == await ask("/v1/chat/completions", body)
    _, answer = await ask_json("/v1/chat/completions", body | {"stream": False})
    assert answer["created"] == MOMENT


@pytest.mark.parametrize(
    ("path", "kind", "header"),
    [
        ("/v1/chat/completions", b"application/json", b"x-request-id"),
        ("/v1/messages", b"application/json", b"request-id"),
        ("/api/chat", b"application/x-ndjson", None),
    ],
)
async def test_headers_are_the_vendors(path, kind, header):
    """Content type and request identifier are those of the vendor."""
    status, headers, _ = await ask(path, {"model": "demo", "max_tokens": 50, "messages": HELLO})
    assert (status, headers.pop(b"content-type")) == (200, kind)
    assert list(headers) == ([header] if header else [])


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/v1/nothing", {"error": {"message", "type", "param", "code"}}),
        ("/v1/messages/nothing", {"type": None, "error": {"type", "message"}, "request_id": None}),
        ("/v1beta/nothing", {"error": {"code", "message", "status"}}),
        (f"{GEMINI}:nothing", {"error": {"code", "message", "status"}}),
        ("/api/nothing", {"error": None}),
        ("", {"error": {"message", "type", "param", "code"}}),
        ("/v1/\udcff", {"error": {"message", "type", "param", "code"}}),
        ("http://[/v1", {"error": {"message", "type", "param", "code"}}),
        ("/v1/%ff%2f..:x", {"error": {"message", "type", "param", "code"}}),
    ],
)
async def test_unknown_paths_are_404_in_the_nearest_shape(path, shape):
    """A path nobody has is 404 as the vendor nearest to it says it."""
    status, body = await ask_json(path, {})
    assert status == 404
    assert {key: set(value) if isinstance(value, dict) else None for key, value in body.items()} == shape


async def test_wrong_methods_are_405_and_name_the_right_one():
    """Every path answers other methods with 405 and an Allow header."""
    for path in POSTS:
        status, headers, _ = await ask(path, method="GET")
        assert (status, headers[b"allow"]) == (405, b"POST"), path
    for path in GETS:
        status, headers, _ = await ask(path, {})
        assert (status, headers[b"allow"]) == (405, b"GET"), path


async def test_lists_of_models_differ_by_who_asks():
    """One path gives OpenAI's list, or Anthropic's where its version header is sent; the others have their own."""
    _, openai = await ask_json("/v1/models", method="GET")
    _, anthropic = await ask_json("/v1/models", method="GET", headers=[(b"Anthropic-Version", b"2023-06-01")])
    _, gemini = await ask_json("/v1beta/models", method="GET")
    _, ollama = await ask_json("/api/tags", method="GET")
    assert openai["object"] == "list"
    assert anthropic["has_more"] is False
    assert gemini["models"][0]["supportedGenerationMethods"]
    assert [model["name"] for model in ollama["models"]] == list(MODELS)


@pytest.mark.parametrize("path", POSTS)
async def test_a_body_that_is_no_json_object_is_400(path):
    """Empty, cut, binary, deeply nested and non-object bodies are the caller's error."""
    deep = b'{"model":"demo","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    for body in (b"", b'{"model":', b"\xff\xfe", b"[]", b'"x"', b"null", b'{"model":"\\udc00"}', deep):
        status, answer = await ask_json(path, body)
        assert status == 400, body[:20]
        assert "error" in answer


async def test_nesting_the_decoder_takes_is_never_too_deep_to_read():
    """A tool schema, arguments and a result of any depth give an answer or a 400."""
    for depth in (10, 100, 500, 900, 950, 980, 990, 1_000):
        deep = b'{"a":' * depth + b"1" + b"}" * depth
        tools = b'"tools":[{"name":"f","input_schema":' + deep + b'}],"tool_choice":{"type":"any"}'
        call = b'{"role":"assistant","content":[{"type":"tool_use","id":"x","name":"f","input":' + deep + b"}]}"
        ask_for = b'{"role":"user","content":"hi"}'
        body = b'{"model":"demo","max_tokens":9,"messages":[' + call + b"," + ask_for + b"]," + tools + b"}"
        status, _ = await ask_json("/v1/messages", body)
        assert status in {200, 400}


async def test_bodies_and_prompts_have_a_largest_size():
    """A body above the limits of bytes or objects is 413, and a prompt above the context is 400 saying so."""
    status, _ = await ask_json("/v1/messages", b" " * (16 * 1024 * 1024 + 1))
    assert status == 413
    status, _ = await ask_json("/v1/messages", {"messages": [{}] * 100_000})
    assert status == 413
    turns = [{"role": "user", "content": "a b c " * 1_000_000}]
    status, answer = await ask_json("/v1/chat/completions", {"model": "demo", "messages": turns})
    assert (status, answer["error"]["code"]) == (400, "context_length_exceeded")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/chat/completions", {"messages": HELLO}, "model"),
        ("/v1/chat/completions", {"model": "demo"}, "messages"),
        ("/v1/chat/completions", {"model": "demo", "messages": []}, "messages"),
        ("/v1/chat/completions", {"model": "demo", "messages": [{"role": "user"}]}, "messages[0].content"),
        ("/v1/chat/completions", {"model": "demo", "messages": HELLO, "max_tokens": 0}, "max_tokens"),
        ("/v1/chat/completions", {"model": "demo", "messages": HELLO, "max_tokens": True}, "max_tokens"),
        ("/v1/chat/completions", {"model": "demo", "messages": HELLO, "stream": "yes"}, "stream"),
        ("/v1/chat/completions", {"model": "demo", "messages": HELLO, "stop": [1]}, "stop[0]"),
        ("/v1/chat/completions", {"model": "demo", "messages": HELLO, "tool_choice": "required"}, "tool_choice"),
        (
            "/v1/chat/completions",
            {"model": "demo", "messages": HELLO, "tools": [{"type": "custom"}]},
            "tools[0].custom",
        ),
        ("/v1/responses", {"model": "demo"}, "input"),
        ("/v1/responses", {"model": "demo", "input": [{"type": 1}]}, "input[0].type"),
        ("/v1/responses", {"model": "demo", "input": "x", "previous_response_id": 1}, "previous_response_id"),
        ("/v1/responses", {"model": "demo", "input": "x", "reasoning": {"effort": "some"}}, "reasoning.effort"),
        ("/v1/responses/input_tokens", {}, "input"),
        ("/v1/moderations", {}, "input"),
        ("/v1/moderations", {"input": ["x", 1]}, "input[1]"),
        ("/v1/images/generations", {}, "prompt"),
        ("/v1/images/generations", {"prompt": "x", "response_format": "url"}, "response_format"),
        ("/v1/audio/speech", {"model": "demo", "input": "x"}, "voice"),
        (
            "/v1/audio/speech",
            {"model": "demo", "input": "x", "voice": "a", "response_format": "aac"},
            "response_format",
        ),
        ("/v1/chat/completions", {"model": "demo", "messages": HELLO, "n": 9}, "n"),
        ("/v1/chat/completions", {"model": "demo", "messages": HELLO, "top_logprobs": 21}, "top_logprobs"),
        ("/v1/completions", {"model": "demo", "prompt": "x", "n": 3, "best_of": 2}, "best_of"),
        ("/v1/embeddings", {"model": "demo-embed", "input": "x", "dimensions": 5000}, "dimensions"),
        ("/v1/embeddings", {"model": "demo-embed", "input": ["x"] * 300, "dimensions": 4096}, "input"),
        ("/v1/messages", {"model": "demo", "messages": HELLO}, "max_tokens"),
        ("/v1/messages", {"model": "demo", "max_tokens": 9, "messages": HELLO, "thinking": {}}, "thinking.type"),
        ("/v1/messages", {"model": "demo", "messages": [{"role": "user", "content": 1}]}, "max_tokens"),
        (f"{GEMINI}:generateContent", {}, "contents"),
        (f"{GEMINI}:generateContent", {"contents": [{"parts": [{"text": 1}]}]}, "contents[0].parts[0].text"),
        ("/api/chat", {"model": "demo"}, "messages"),
        ("/api/generate", {"model": "demo"}, "prompt"),
    ],
)
async def test_a_wrong_field_is_named(path, body, field):
    """The error of a missing or wrong field carries the field's name."""
    status, answer = await ask_json(path, body)
    assert status == 400
    assert f"'{field}'" in msgspec.json.encode(answer).decode()


@pytest.mark.parametrize("model", ["gpt-9", "Demo", " demo", "x" * 10_000])
async def test_other_models_are_404(model):
    """Only names that begin with demo are models here."""
    for path in POSTS:
        if "/models/" not in path:
            status, _ = await ask_json(path, {"model": model, "messages": HELLO, "max_tokens": 5})
            assert status in {400, 404}
            status, _ = await ask_json(path, _valid(path) | {"model": model})
            assert status == 404, path
    status, _ = await ask_json(f"/v1beta/models/{model.strip()}x:countTokens", {"contents": []})
    assert status == (404 if not model.strip().startswith("demo") else 400)


async def test_variants_and_tags_are_models():
    """Names that begin with demo are answered and echoed."""
    status, answer = await ask_json("/v1/chat/completions", {"model": "demo:latest", "messages": HELLO})
    assert (status, answer["model"]) == (200, "demo:latest")
    status, answer = await ask_json("/v1/models/demo:latest", method="GET")
    assert (status, answer["id"]) == (200, "demo:latest")


async def test_reading_ends_when_closed():
    """A closed answer gives no further pieces, and may be closed again."""
    from ingate.providers.demo import DemoTransport
    from ingate.proxy.ports import Origin, OutboundRequest

    body = msgspec.json.encode({"model": "demo", "messages": HELLO, "stream": True})
    request = OutboundRequest("POST", account(Origin("http", "demo.invalid", 80)), "/v1/chat/completions", [], body)
    answer = await DemoTransport().send(request)
    assert (await answer.read()).startswith(b"data: ")
    await answer.aclose()
    await answer.aclose()
    assert await answer.read() == b""


def _valid(path):
    if path.endswith("embed"):
        return {"input": "x"}
    return {"messages": HELLO, "max_tokens": 5, "prompt": "x", "input": "x", "voice": "alloy"}
