"""What the official SDKs do not show: Ollama's lines, Gemini's array stream, and counts that agree across forms."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingate.providers.demo import tokens
from tests.support.demo import MOMENT, ask, ask_json, events

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
OLLAMA_TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}


def lines(pieces):
    return [msgspec.json.decode(line) for line in b"".join(pieces).splitlines()]


async def test_ollama_chat_streams_lines_by_default():
    """Lines joined are the whole answer, and the last one has its counts."""
    body = {"model": "demo", "messages": [{"role": "user", "content": "Tell me about rivers"}]}
    _, whole = await ask_json("/api/chat", body | {"stream": False})
    _, _, pieces = await ask("/api/chat", body)
    parts = lines(pieces)
    assert "".join(part["message"]["content"] for part in parts) == whole["message"]["content"]
    assert [part["done"] for part in parts] == [False] * (len(parts) - 1) + [True]
    counts = ("prompt_eval_count", "eval_count", "done_reason")
    assert [parts[-1][key] for key in counts] == [whole[key] for key in counts]
    assert len(parts) == len(pieces) == whole["eval_count"] + 1
    assert whole["created_at"] == "2027-01-15T08:00:00Z"
    assert MOMENT == 1_800_000_000


async def test_ollama_calls_tools_and_reads_their_results():
    """A named tool is called with an object of arguments, whole and streamed, and its result is quoted."""
    turns = [{"role": "user", "content": "Use get_weather"}]
    body = {"model": "demo", "messages": turns, "tools": [OLLAMA_TOOL]}
    _, whole = await ask_json("/api/chat", body | {"stream": False})
    _, _, pieces = await ask("/api/chat", body)
    call = whole["message"]["tool_calls"][0]["function"]
    assert (call["name"], call["arguments"]) == ("get_weather", {"city": "demo"})
    assert lines(pieces)[0]["message"] == whole["message"]
    body["messages"] = [*turns, whole["message"], {"role": "tool", "tool_name": "get_weather", "content": "fog"}]
    _, ended = await ask_json("/api/chat", body | {"stream": False})
    assert '"fog"' in ended["message"]["content"]


async def test_ollama_generate_has_its_options():
    """num_predict, stop, a JSON format and a schema are honoured."""
    body = {"model": "demo", "prompt": "hello", "system": "x", "stream": False}
    _, short = await ask_json("/api/generate", body | {"options": {"num_predict": 1}})
    _, endless = await ask_json("/api/generate", body | {"options": {"num_predict": -1, "stop": "demo"}})
    _, shaped = await ask_json("/api/generate", body | {"format": SCHEMA})
    _, free = await ask_json("/api/generate", body | {"format": "json"})
    assert (short["eval_count"], short["done_reason"]) == (1, "length")
    assert endless["response"] == "Hello! I am Ingate's "
    assert msgspec.json.decode(shaped["response"]) == {"city": "demo"}
    assert msgspec.json.decode(free["response"])["model"] == "demo"


async def test_ollama_embeddings_in_both_calls_are_the_same_vector():
    """The newer and the older call give one vector for one text."""
    _, newer = await ask_json("/api/embed", {"model": "demo-embed", "input": "a river"})
    _, several = await ask_json("/api/embed", {"model": "demo-embed", "input": ["a", "b"], "dimensions": 3})
    _, older = await ask_json("/api/embeddings", {"model": "demo-embed", "prompt": "a river"})
    assert newer["embeddings"] == [older["embedding"]]
    assert newer["prompt_eval_count"] == tokens.count("a river")
    assert [len(vector) for vector in several["embeddings"]] == [3, 3]


async def test_ollama_thinks_when_told():
    """Thoughts come before the text in a member of their own, and are counted; a wrong word is named."""
    body = {"model": "demo", "messages": [{"role": "user", "content": "hello"}], "stream": False}
    _, plain = await ask_json("/api/chat", body)
    _, whole = await ask_json("/api/chat", body | {"think": "high"})
    _, _, pieces = await ask("/api/chat", body | {"think": "high", "stream": True})
    _, generated = await ask_json("/api/generate", {"model": "demo", "prompt": "hello", "think": True, "stream": False})
    _, wrong = await ask_json("/api/chat", body | {"think": "much"})
    assert "hello" in whole["message"]["thinking"]
    assert "thinking" not in plain["message"]
    assert whole["eval_count"] == plain["eval_count"] + tokens.count(whole["message"]["thinking"])
    streamed = "".join(part["message"].get("thinking", "") for part in lines(pieces))
    assert streamed == whole["message"]["thinking"]
    assert generated["thinking"]
    assert "'think'" in wrong["error"]


async def test_gemini_streams_an_array_without_alt():
    """The array form grows piece by piece and is the same chunks as the event form."""
    body = {"contents": [{"parts": [{"text": "Say hello"}]}]}
    _, headers, pieces = await ask("/v1beta/models/demo:streamGenerateContent", body)
    _, _, as_events = await ask("/v1beta/models/demo:streamGenerateContent?alt=sse", body)
    chunks = msgspec.json.decode(b"".join(pieces))
    assert headers[b"content-type"] == b"application/json"
    assert len(pieces) == len(chunks) + 1
    assert [chunk["candidates"] for chunk in chunks] == [event["candidates"] for event in events(as_events)]


async def test_gemini_reads_both_spellings_and_single_embeddings():
    """snake_case fields are read as camelCase ones, and embedContent gives one vector."""
    body = {
        "contents": [{"parts": [{"text": "Say hello"}]}],
        "system_instruction": {"parts": [{"text": "Be kind."}]},
        "generation_config": {"max_output_tokens": 1},
    }
    _, answer = await ask_json("/v1/models/demo:generateContent", body)
    assert answer["candidates"][0]["finishReason"] == "MAX_TOKENS"
    _, counted = await ask_json("/models/demo:countTokens", {"generateContentRequest": body})
    assert counted["totalTokens"] == answer["usageMetadata"]["promptTokenCount"]
    asked = {"content": {"parts": [{"text": "x"}]}, "outputDimensionality": 5}
    _, single = await ask_json("/v1beta/models/demo-embed:embedContent", asked)
    assert len(single["embedding"]["values"]) == 5


@pytest.mark.parametrize("most", [1, 3])
async def test_a_call_that_does_not_fit_is_not_begun(most):
    """A tool call beyond the token limit gives an empty answer with the limit as its reason."""
    body = {"model": "demo", "max_tokens": most, "messages": [{"role": "user", "content": "get_weather"}]}
    tools = [{"name": "get_weather", "input_schema": SCHEMA}]
    _, claude = await ask_json("/v1/messages", body | {"tools": tools})
    _, gpt = await ask_json("/v1/chat/completions", body | {"tools": [OLLAMA_TOOL]})
    assert (claude["content"], claude["stop_reason"], claude["usage"]["output_tokens"]) == ([], "max_tokens", 0)
    assert (gpt["choices"][0]["finish_reason"], gpt["usage"]["completion_tokens"]) == ("length", 0)


TEXTS = st.text(max_size=300)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(said=TEXTS, most=st.none() | st.integers(1, 60), stop=st.none() | st.text(min_size=1, max_size=3))
async def test_counts_and_texts_agree_in_every_form(said, most, stop):
    """For any message, limit and stop, whole and streamed chats agree in text, finish and exact usage."""
    body = {"model": "demo", "messages": [{"role": "user", "content": said}], "max_tokens": most, "stop": stop}
    _, whole = await ask_json("/v1/chat/completions", body)
    streamed = body | {"stream": True, "stream_options": {"include_usage": True}}
    _, _, pieces = await ask("/v1/chat/completions", streamed)
    chunks = events(pieces)
    choice = whole["choices"][0]
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks[:-1])
    assert text == choice["message"]["content"]
    assert chunks[-2]["choices"][0]["finish_reason"] == choice["finish_reason"]
    assert chunks[-1]["usage"] == whole["usage"]
    assert whole["usage"]["prompt_tokens"] == tokens.count(said)
    assert whole["usage"]["completion_tokens"] <= (most or 10_000)
    if choice["finish_reason"] == "stop":
        assert whole["usage"]["completion_tokens"] == tokens.count(text)
