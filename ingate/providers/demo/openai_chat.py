"""OpenAI Chat Completions, answered. Knows that format and the demo model; no HTTP."""

from collections.abc import Iterator
from dataclasses import dataclass

from ingate.providers.demo import likelihoods, tokens
from ingate.providers.demo.answers import Answer, Stamp, data, deltas, event_stream, whole
from ingate.providers.demo.fields import JsonObject, as_alternatives, as_few, as_flag, as_object, maybe
from ingate.providers.demo.model import Call, Reply, answers
from ingate.providers.demo.openai_chat_request import prompt_of

DONE = b"data: [DONE]\n\n"
CALLS_A_CHOICE = 32
"""Identifiers that are set apart for the calls of each choice."""

_FINISHES = {"refusal": "stop"}


@dataclass(frozen=True, slots=True)
class Told:
    """What a caller wants to know beside the text: `alternatives` of each token, None for no likelihoods at all."""

    alternatives: int | None
    with_usage: bool = False


def chat_completions(body: JsonObject, model: str, stamp: Stamp) -> Answer:
    """Answers POST /v1/chat/completions, whole or streamed. Raises `Fault`."""
    prompt = prompt_of(body, model)
    number = maybe(as_few, body, "n") or 1
    streamed = maybe(as_flag, body, "stream")
    told = Told(_alternatives(body), with_usage(body))
    replies = answers(prompt, number)
    if streamed:
        return event_stream(_events(replies, model, stamp, told))
    choices = [_choice(place, reply, stamp, told) for place, reply in enumerate(replies)]
    return whole(_head("chat.completion", model, stamp) | {"choices": choices, "usage": usage(replies)})


def with_usage(body: JsonObject) -> bool:
    """Tells whether a stream is to end with the usage. Raises `Fault`."""
    options = maybe(as_object, body, "stream_options") or {}
    return maybe(as_flag, options, "include_usage", "stream_options") or False


def usage(replies: list[Reply]) -> JsonObject:
    """Returns OpenAI's usage object of several answers to one prompt; nothing is heard."""
    count, output = replies[0].input, sum(reply.output_tokens for reply in replies)
    thought = sum(len(reply.thoughts) for reply in replies)
    return {
        "prompt_tokens": count.total,
        "completion_tokens": output,
        "total_tokens": count.total + output,
        "prompt_tokens_details": {"cached_tokens": count.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": thought, "audio_tokens": 0},
    }


def _alternatives(body: JsonObject) -> int | None:
    number = maybe(as_alternatives, body, "top_logprobs") or 0
    return number if maybe(as_flag, body, "logprobs") else None


def _head(kind: str, model: str, stamp: Stamp) -> JsonObject:
    named = {"id": stamp.name("chatcmpl-"), "object": kind, "created": stamp.created, "model": model}
    return named | {"service_tier": "default", "system_fingerprint": "fp_ingate_demo"}


def _choice(place: int, reply: Reply, stamp: Stamp, told: Told) -> JsonObject:
    message: JsonObject = {"role": "assistant", "content": reply.text, "refusal": None, "annotations": []}
    if reply.finish == "refusal":
        message |= {"content": None, "refusal": reply.text}
    if reply.calls:
        named = [_call(call, stamp.name("call_", place * CALLS_A_CHOICE + n)) for n, call in enumerate(reply.calls)]
        message |= {"content": None, "tool_calls": named}
    finish = _FINISHES.get(reply.finish, reply.finish)
    likely = _likelihoods(reply.pieces, 0, reply, told)
    return {"index": place, "message": message, "logprobs": likely, "finish_reason": finish}


def _call(call: Call, name: str) -> JsonObject:
    if call.free:
        return {"id": name, "type": "custom", "custom": {"name": call.name, "input": call.text}}
    return {"id": name, "type": "function", "function": {"name": call.name, "arguments": call.text}}


def _likelihoods(pieces: tuple[str, ...], start: int, reply: Reply, told: Told) -> JsonObject | None:
    if told.alternatives is None or reply.calls:
        return None
    made = likelihoods.openai(pieces, told.alternatives, start)
    return {"content": None, "refusal": made} if reply.finish == "refusal" else {"content": made, "refusal": None}


def _events(replies: list[Reply], model: str, stamp: Stamp, told: Told) -> Iterator[bytes]:
    head = _head("chat.completion.chunk", model, stamp) | ({"usage": None} if told.with_usage else {})
    for place, reply in enumerate(replies):
        for choice in _deltas(place, reply, stamp, told):
            yield data(head | {"choices": [{"index": place, "logprobs": None, "finish_reason": None} | choice]})
    if told.with_usage:
        yield data(head | {"choices": [], "usage": usage(replies)})
    yield DONE


def _deltas(place: int, reply: Reply, stamp: Stamp, told: Told) -> Iterator[JsonObject]:
    said = "refusal" if reply.finish == "refusal" else "content"
    yield {"delta": {"role": "assistant", "content": None if reply.calls else "", "refusal": None}}
    start = 0
    for piece in deltas(reply.pieces):
        parts = tokens.split(piece) if told.alternatives is not None else ()
        yield {"delta": {said: piece}, "logprobs": _likelihoods(parts, start, reply, told)}
        start += len(parts)
    for number, call in enumerate(reply.calls):
        named = _call(call, stamp.name("call_", place * CALLS_A_CHOICE + number))
        kind, key = ("custom", "input") if call.free else ("function", "arguments")
        yield {"delta": {"tool_calls": [{"index": number} | named | {kind: {"name": call.name, key: ""}}]}}
        for piece in deltas(call.pieces):
            yield {"delta": {"tool_calls": [{"index": number, kind: {key: piece}}]}}
    yield {"delta": {}, "finish_reason": _FINISHES.get(reply.finish, reply.finish)}
