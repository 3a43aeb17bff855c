"""OpenAI: chat completions, responses, embeddings, models."""

import base64
import struct
from functools import lru_cache

from tests.support.upstream.vendors.answer import (
    CACHED_TOKENS,
    CREATED,
    INPUT_TOKENS,
    MODEL,
    VECTOR,
    event_stream,
    whole,
    words,
)

_CHAT = "chatcmpl-upstream"
_RESPONSE = "resp_upstream"
_MESSAGE = "msg_upstream"
_HEADERS = (("x-request-id", "req_upstream"), ("openai-version", "2020-10-01"))


def answer(method, path, _query, body, deltas):
    """Returns the `Answer`, None when the path is another vendor's."""
    model = str(body.get("model", MODEL))
    if path.endswith("/chat/completions"):
        options = body.get("stream_options") or {}
        return (
            _chat_stream(model, deltas, bool(options.get("include_usage")))
            if body.get("stream")
            else _chat(model, deltas)
        )
    if path.endswith("/responses"):
        return (
            _response_stream(model, deltas) if body.get("stream") else whole(_response(model, deltas), headers=_HEADERS)
        )
    if path.endswith("/embeddings") and not path.endswith("/api/embeddings"):
        return _embeddings(model, body)
    if method == "GET" and path.endswith("/v1/models"):
        return whole({"object": "list", "data": [_model(MODEL)]}, headers=_HEADERS)
    if method == "GET" and "/v1/models/" in path:
        return whole(_model(path.rsplit("/", 1)[1]), headers=_HEADERS)
    return None


def _model(name):
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "upstream"}


def _chat_usage(deltas):
    return {
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": deltas,
        "total_tokens": INPUT_TOKENS + deltas,
        "prompt_tokens_details": {"cached_tokens": CACHED_TOKENS, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


@lru_cache(maxsize=64)
def _chat(model, deltas):
    message = {"role": "assistant", "content": "".join(words(deltas)), "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    common = {"id": _CHAT, "object": "chat.completion", "created": CREATED, "model": model}
    return whole({**common, "choices": [choice], "usage": _chat_usage(deltas)}, headers=_HEADERS)


@lru_cache(maxsize=64)
def _chat_stream(model, deltas, include_usage):
    common = {"id": _CHAT, "object": "chat.completion.chunk", "created": CREATED, "model": model}
    no_usage = {"usage": None} if include_usage else {}

    def piece(delta, finish=None):
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return None, {**common, "choices": [choice], **no_usage}

    events = [piece({"role": "assistant", "content": ""})]
    events += [piece({"content": word}) for word in words(deltas)]
    events.append(piece({}, "stop"))
    if include_usage:
        events.append((None, {**common, "choices": [], "usage": _chat_usage(deltas)}))
    return event_stream([*events, (None, "[DONE]")], _HEADERS)


def _response(model, deltas):
    usage = {
        "input_tokens": INPUT_TOKENS,
        "input_tokens_details": {"cached_tokens": CACHED_TOKENS},
        "output_tokens": deltas,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": INPUT_TOKENS + deltas,
    }
    item = _item("completed", [_part("".join(words(deltas)))])
    return {
        "id": _RESPONSE,
        "object": "response",
        "created_at": CREATED,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "model": model,
        "output": [item],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "store": False,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage,
    }


def _item(state, content):
    return {"id": _MESSAGE, "type": "message", "status": state, "role": "assistant", "content": content}


def _part(text):
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


@lru_cache(maxsize=64)
def _response_stream(model, deltas):
    final = _response(model, deltas)
    begun = {**final, "status": "in_progress", "output": [], "usage": None}
    text = "".join(words(deltas))
    place = {"item_id": _MESSAGE, "output_index": 0, "content_index": 0}
    steps = [
        ("response.created", {"response": begun}),
        ("response.in_progress", {"response": begun}),
        ("response.output_item.added", {"output_index": 0, "item": _item("in_progress", [])}),
        ("response.content_part.added", {**place, "part": _part("")}),
        *(("response.output_text.delta", {**place, "delta": word, "logprobs": []}) for word in words(deltas)),
        ("response.output_text.done", {**place, "text": text, "logprobs": []}),
        ("response.content_part.done", {**place, "part": _part(text)}),
        ("response.output_item.done", {"output_index": 0, "item": final["output"][0]}),
        ("response.completed", {"response": final}),
    ]
    events = [(name, {"type": name, "sequence_number": number, **data}) for number, (name, data) in enumerate(steps)]
    return event_stream(events, _HEADERS)


def _embeddings(model, body):
    given = body.get("input", "")
    # One text, or one text as token ids, is one input; a list of either is many.
    many = isinstance(given, list) and given and not isinstance(given[0], int)
    vector = list(VECTOR)
    if body.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack(f"<{len(VECTOR)}f", *VECTOR)).decode()
    data = [{"object": "embedding", "index": n, "embedding": vector} for n in range(len(given) if many else 1)]
    usage = {"prompt_tokens": INPUT_TOKENS, "total_tokens": INPUT_TOKENS}
    return whole({"object": "list", "data": data, "model": model, "usage": usage}, headers=_HEADERS)
