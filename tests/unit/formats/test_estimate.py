"""Tokens that nobody has counted, by the length of the texts."""

import json

import pytest

from ingate.formats import LARGE, MAX_TEXT, Format, Pace, ResponseReader, Usage, at_once, estimating

CHAT, COMPLETIONS = Format.OPENAI_CHAT, Format.OPENAI_COMPLETIONS
SSE = "text/event-stream"
AROUND = 3 + 4
"""Tokens of a chat beside its text: of the answer, and of one message."""


def answer(*deltas, finish="stop"):
    """Returns what is learned of a chat stream of these deltas, `(index, delta)` where a choice is not the first."""
    reader = ResponseReader(CHAT, SSE, "")
    for delta in deltas:
        index, said = delta if isinstance(delta, tuple) else (0, delta)
        chunk = {"model": "m", "choices": [{"index": index, "delta": said, "finish_reason": None}]}
        reader.feed(f"data: {json.dumps(chunk)}\n\n".encode())
    if finish:
        reader.feed(b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"%b"}]}\n\n' % finish.encode())
    return reader.finish()


def estimate(request, facts, format=CHAT):
    """Returns the estimated tokens of prompt and answer, None where there is no estimate."""
    body = request if isinstance(request, bytes) else json.dumps(request, ensure_ascii=False).encode()
    told = at_once(estimating(format, body, facts, Pace()))
    assert told.estimated is (told.usage != facts.usage)
    return (told.usage.input, told.usage.output) if told.estimated else None


def chat(*contents):
    """A request of user messages."""
    return {"messages": [{"role": "user", "content": content} for content in contents]}


HELLO = answer({"content": "Hello"})


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("a", 1), ("four", 1), ("fives", 2), ("привет", 3), ("我来到北京清华大学", 7), ("🦊", 1)],
)
def test_a_token_is_four_bytes(text, tokens):
    """Of UTF-8, in what is asked and in what is answered."""
    assert estimate(chat(text), answer({"content": text})) == (AROUND + tokens, tokens)


def test_a_prompt_is_all_its_messages():
    """Texts of every role and of every part; pictures are not counted."""
    parts = [{"type": "text", "text": "12345678"}, {"type": "image_url", "image_url": {"url": "data:" + "x" * 9999}}]
    request = {
        "tools": [{"type": "function", "function": {"name": "f", "description": "x" * 999}}],
        "messages": [{"role": "system", "content": "1234"}, {"role": "user", "content": parts}, {"role": "assistant"}],
    }
    assert estimate(request, HELLO) == (3 + 3 * 4 + 1 + 2, 2)


def test_everything_answered_is_counted():
    """Beyond the text that is kept, that of other choices, and the arguments of calls."""
    assert estimate(chat(""), answer({"content": "é" * MAX_TEXT}, {"content": "é" * MAX_TEXT}))[1] == MAX_TEXT
    assert estimate(chat(""), answer({"content": "1234"}, (1, {"content": "12345678"})))[1] == 3
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"city":"Rome"}!'}}
    assert estimate(chat(""), answer({"tool_calls": [call]}, finish="tool_calls"))[1] == 4


@pytest.mark.parametrize(("prompt", "tokens"), [("12345678", 2), (["1234", "5678", "9"], 3), ("", 0)])
def test_a_completions_prompt_is_text(prompt, tokens):
    """One, or several."""
    assert estimate({"prompt": prompt}, HELLO, COMPLETIONS) == (tokens, 2)


def test_a_large_request_is_estimated():
    """Up to the bounds of what is kept of one."""
    request = chat("x" * LARGE, *["y" * 40_000] * 3)
    assert estimate(request, HELLO) == (3 + 4 * 4 + (LARGE + 120_000) // 4, 2)


@pytest.mark.parametrize(
    ("request_body", "facts", "format"),
    [
        (chat("x"), answer(finish=None), CHAT),
        (b"", HELLO, CHAT),
        (b"\x1f\x8b", HELLO, CHAT),
        ({"messages": []}, HELLO, CHAT),
        ({"messages": "x"}, HELLO, CHAT),
        ({"prompt": [1, 2, 3]}, HELLO, COMPLETIONS),
        (chat("x"), HELLO, Format.OPENAI_RESPONSES),
    ],
    ids=["nothing answered", "no request", "compressed", "no messages", "odd messages", "token ids", "format"],
)
def test_what_cannot_be_estimated(request_body, facts, format):
    """Stays unknown, which is not zero."""
    assert estimate(request_body, facts, format) is None


@pytest.mark.parametrize("last", [b'"usage":{"completion_tokens":0}', b'"error":{"message":"overloaded"}'])
def test_what_is_told_is_not_estimated(last):
    """Usage that the provider of a whole answer states, if only a part of it, and errors."""
    reader = ResponseReader(CHAT, SSE, "")
    reader.feed(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\ndata: {%b}\n\ndata: [DONE]\n\n' % last)
    facts = reader.finish()
    assert estimate(chat("x"), facts) is None
    assert facts.usage in (Usage(output=0), Usage())


def events(*parts):
    """Returns a stream of events, none of which ends it."""
    return b"".join(b"data: %b\n\n" % json.dumps(part).encode() for part in parts)


def lines(*parts):
    """Returns a stream of lines."""
    return b"".join(json.dumps(part).encode() + b"\n" for part in parts)


TEXT = "12345678" * 4
USER = [{"role": "user", "content": "12345678"}]
BROKEN_STREAMS = {
    "anthropic": (
        Format.ANTHROPIC_MESSAGES,
        SSE,
        {"system": "1234", "messages": USER},
        events(
            {
                "type": "message_start",
                "message": {
                    "model": "m",
                    "usage": {"input_tokens": 90, "cache_read_input_tokens": 7, "output_tokens": 1},
                },
            },
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT}},
        ),
        Usage(90, 7, None, 8),
    ),
    "anthropic, nothing stated": (
        Format.ANTHROPIC_MESSAGES,
        SSE,
        {"system": [{"type": "text", "text": "1234"}], "messages": USER},
        events({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT}}),
        Usage(AROUND + 1 + 2, None, None, 8),
    ),
    "gemini": (
        Format.GEMINI,
        SSE,
        {
            "systemInstruction": {"parts": [{"text": "1234"}]},
            "contents": [{"role": "user", "parts": [{"text": "12345678"}]}],
        },
        events({"candidates": [{"content": {"parts": [{"text": TEXT}]}}]}),
        Usage(AROUND + 1 + 2, None, None, 8),
    ),
    "gemini, prompt stated": (
        Format.GEMINI,
        SSE,
        {"contents": [{"parts": [{"text": "12345678"}]}]},
        events({"candidates": [{"content": {"parts": [{"text": TEXT}]}}], "usageMetadata": {"promptTokenCount": 90}}),
        Usage(90, None, None, 8),
    ),
    "ollama chat": (
        Format.OLLAMA,
        "application/x-ndjson",
        {"messages": [{"role": "system", "content": "1234"}, *USER]},
        lines({"model": "m", "message": {"role": "assistant", "content": TEXT}, "done": False}),
        Usage(3 + 2 * 4 + 1 + 2, None, None, 8),
    ),
    "ollama generate": (
        Format.OLLAMA,
        "application/x-ndjson",
        {"prompt": "12345678", "system": "1234"},
        lines({"model": "m", "response": TEXT, "done": False}),
        Usage(1 + 2, None, None, 8),
    ),
    "responses": (
        Format.OPENAI_RESPONSES,
        SSE,
        {"instructions": "1234", "input": USER},
        events({"type": "response.output_text.delta", "delta": TEXT}),
        Usage(AROUND + 1 + 2, None, None, 8),
    ),
    "responses of a text": (
        Format.OPENAI_RESPONSES,
        SSE,
        {"input": "12345678"},
        events({"type": "response.output_text.delta", "delta": TEXT}),
        Usage(AROUND + 2, None, None, 8),
    ),
}


@pytest.mark.parametrize("kind", BROKEN_STREAMS)
def test_a_broken_stream_of_any_format_has_an_estimate(kind):
    """Of what it had not stated when it broke off; what it had stays. At four bytes a token, as of chats."""
    format, media_type, request, body, expected = BROKEN_STREAMS[kind]
    reader = ResponseReader(format, media_type, "")
    reader.feed(body)
    told = at_once(estimating(format, json.dumps(request).encode(), reader.finish(), Pace()))
    assert (told.usage, told.estimated) == (expected, True)


def test_a_broken_stream_that_stated_all_is_as_it_states():
    """Gemini counts in every chunk: the last count stands, whatever the text would come to."""
    body = events(
        {
            "candidates": [{"content": {"parts": [{"text": TEXT}]}}],
            "usageMetadata": {"promptTokenCount": 90, "candidatesTokenCount": 5, "totalTokenCount": 95},
        }
    )
    reader = ResponseReader(Format.GEMINI, SSE, "")
    reader.feed(body)
    told = at_once(estimating(Format.GEMINI, b'{"contents":[{"parts":[{"text":"x"}]}]}', reader.finish(), Pace()))
    assert (told.usage, told.estimated) == (Usage(90, None, None, 5), False)
