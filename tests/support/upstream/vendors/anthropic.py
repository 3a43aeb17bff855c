"""Anthropic: messages, token counts, models."""

from functools import lru_cache

from tests.support.upstream.vendors.answer import (
    CACHED_TOKENS,
    INPUT_TOKENS,
    MODEL,
    event_stream,
    whole,
    words,
)

_HEADERS = (("request-id", "req_upstream"),)
_LISTED = {"type": "model", "id": MODEL, "display_name": "Test model", "created_at": "2023-11-14T22:13:20Z"}


def answer(method, path, _query, body, deltas):
    """Returns the `Answer`, None when the path is another vendor's."""
    model = str(body.get("model", MODEL))
    if path.endswith("/messages/count_tokens"):
        return whole({"input_tokens": INPUT_TOKENS}, headers=_HEADERS)
    if path.endswith("/messages"):
        return _stream(model, deltas) if body.get("stream") else _message(model, deltas)
    if method == "GET" and path.endswith("/v1/models"):
        page = {"data": [_LISTED], "has_more": False, "first_id": MODEL, "last_id": MODEL}
        return whole(page, headers=_HEADERS)
    if method == "GET" and "/v1/models/" in path:
        return whole({**_LISTED, "id": path.rsplit("/", 1)[1]}, headers=_HEADERS)
    return None


def _usage(output):
    return {
        "input_tokens": INPUT_TOKENS - CACHED_TOKENS,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": CACHED_TOKENS,
        "output_tokens": output,
        "service_tier": "standard",
    }


def _empty(model, output):
    return {
        "id": "msg_upstream",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _usage(output),
    }


@lru_cache(maxsize=64)
def _message(model, deltas):
    content = [{"type": "text", "text": "".join(words(deltas))}]
    return whole({**_empty(model, deltas), "content": content, "stop_reason": "end_turn"}, headers=_HEADERS)


@lru_cache(maxsize=64)
def _stream(model, deltas):
    # The first usage is a placeholder: the count in message_delta is cumulative and replaces it.
    events = [
        {"type": "message_start", "message": _empty(model, 1)},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
            for word in words(deltas)
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": deltas},
        },
        {"type": "message_stop"},
    ]
    return event_stream([(item["type"], item) for item in events], _HEADERS)
