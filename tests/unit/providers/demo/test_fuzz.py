"""Arbitrary requests to every endpoint: each gets an answer, none an exception."""

import re

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.demo import ask

HELLO = [{"role": "user", "content": "Say hello"}]
GEMINI = "/v1beta/models/demo"
POSTS = [
    "/v1/chat/completions",
    "/completions",
    "/v1/responses",
    "/v1/moderations",
    "/v1/images/generations",
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
]
KEYS = re.findall(
    r"[\w$]+",
    """
model messages role content type text input tools function name parameters tool_choice stream stop max_tokens
n tool_calls arguments response_format json_schema schema instructions input_schema system contents parts
functionCall args functionDeclarations functionResponse generationConfig stopSequences responseSchema
toolConfig functionCallingConfig mode allowedFunctionNames requests outputDimensionality dimensions
encoding_format prompt options num_predict format properties required items enum anyOf $ref minimum maxItems
output call_id stream_options system_instruction tool_use_id id reasoning effort summary thinking budget_tokens
cache_control logprobs top_logprobs reasoning_effort parallel_tool_calls previous_response_id include think
thinkingConfig thinkingBudget candidateCount responseLogprobs responseModalities allOf pattern uniqueItems prefixItems
""",
)
WORDS = re.findall(
    r"\S+", "demo user tool assistant function required any auto object ARRAY string integer text json_object #/ ANY"
)
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
JSON = st.recursive(
    LEAVES | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=25,
)
PLAUSIBLE = {
    "model": "demo",
    "max_tokens": 60,
    "messages": HELLO,
    "input": "x",
    "prompt": "x",
    "contents": [{"parts": [{"text": "x"}]}],
    "content": {"parts": [{"text": "x"}]},
    "requests": [{"content": {"parts": [{"text": "x"}]}}],
}


SCHEMA = {"type": "object", "properties": {"a": {"enum": [1]}, "b": {"$ref": "#/x"}}, "required": ["a", "b"], "x": {}}
FUNCTION = {"name": "f", "description": "d", "parameters": SCHEMA, "arguments": "{}"}
CALL = {"type": "function", "id": "i", "call_id": "i", "function": FUNCTION} | FUNCTION
RICH = {
    "model": "demo",
    "max_tokens": 60,
    "stream": True,
    "stream_options": {"include_usage": True},
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "x"}]},
        {"role": "assistant", "content": "y", "tool_calls": [CALL]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "i", "content": "z"}]},
        {"role": "user", "content": "f"},
    ],
    "input": [{"role": "user", "content": "f"}, {"type": "function_call_output", "call_id": "i", "output": "x"}],
    "prompt": ["x", "y"],
    "tools": [CALL | {"input_schema": SCHEMA}],
    "stop": ["x"],
    "response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}},
    "text": {"format": {"type": "json_schema", "schema": SCHEMA}},
    "n": 2,
    "logprobs": 2,
    "top_logprobs": 2,
    "reasoning_effort": "low",
    "reasoning": {"effort": "low", "summary": "auto"},
    "think": True,
    "thinking": {"type": "enabled", "budget_tokens": 20},
    "include": ["reasoning.encrypted_content"],
    "cache_control": {"type": "ephemeral"},
    "format": SCHEMA,
    "options": {"num_predict": 9, "stop": ["x"]},
}
GOOGLE = {
    "contents": [
        {"role": "user", "parts": [{"text": "x"}, {"functionResponse": {"name": "f", "response": {}}}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
    ],
    "system_instruction": {"parts": [{"text": "x"}]},
    "tools": [{"functionDeclarations": [{"name": "f", "parameters": SCHEMA}]}],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
    "generationConfig": {"stopSequences": ["x"], "responseMimeType": "application/json", "responseSchema": SCHEMA},
    "content": {"parts": [{"text": "x"}]},
    "requests": [{"content": {"parts": [{"text": "x"}]}, "embedContentConfig": {"outputDimensionality": 2}}],
}


def replaced(value, place, other):
    """Returns `value` with its `place`-th node, in reading order, made `other`; and how many nodes it passed."""
    if place == 0:
        return other, 1
    passed = 1
    made = dict(value) if isinstance(value, dict) else list(value) if isinstance(value, list) else value
    for key in made if isinstance(made, dict) else range(len(made)) if isinstance(made, list) else ():
        if passed <= place:
            made[key], more = replaced(made[key], place - passed, other)
            passed += more
    return made, passed


@settings(max_examples=250, deadline=None, derandomize=True)
@given(place=st.integers(1, 185), other=JSON)
async def test_one_odd_value_in_a_rich_body_gives_an_answer(place, other):
    """A valid body with any one of its values replaced is answered with 200 or a JSON error of the caller's."""
    for path in POSTS:
        body, _ = replaced(GOOGLE if "/models/" in path else RICH, place, other)
        status, _, pieces = await ask(path, body)
        assert status == 200 or 400 <= status < 500, path
        if status != 200:
            assert "error" in msgspec.json.decode(b"".join(pieces))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(noise=st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4), plausible=st.booleans())
async def test_any_json_gives_an_answer(noise, plausible):
    """Arbitrary JSON, alone and over a valid body, is answered with 200 or a JSON error of the caller's."""
    for path in POSTS:
        status, headers, pieces = await ask(path, PLAUSIBLE | noise if plausible else noise)
        assert status == 200 or 400 <= status < 500, path
        if status != 200:
            assert headers[b"content-type"] == b"application/json"
            assert "error" in msgspec.json.decode(b"".join(pieces))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    path=st.text(max_size=30),
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "ODD"]),
    body=st.binary(max_size=30),
)
async def test_any_target_gives_an_answer(path, method, body):
    """Arbitrary targets, methods and bytes are answered."""
    for target in (path, "/" + path, "/v1/models/" + path):
        status, _, _ = await ask(target, body, method=method)
        assert status in {200, 400, 404, 405}
