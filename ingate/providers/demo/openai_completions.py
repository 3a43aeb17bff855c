"""OpenAI's legacy Completions, answered. Knows that format and the demo model; no HTTP."""

from collections.abc import Iterator
from typing import Any

from ingate.providers.demo.answers import Answer, Stamp, data, deltas, event_stream, whole
from ingate.providers.demo.catalogue import model_of
from ingate.providers.demo.fields import (
    JsonObject,
    as_count,
    as_filled_array,
    as_flag,
    as_object,
    as_one,
    as_stops,
    as_text,
    invalid,
    maybe,
    must,
)
from ingate.providers.demo.model import Prompt, Reply, Turn, answer
from ingate.providers.demo.openai_chat import DONE, usage

MOST_PROMPTS = 20


def completions(body: JsonObject, stamp: Stamp) -> Answer:
    """Answers POST /v1/completions: one choice per prompt, whole or streamed. Raises `Fault`."""
    model = model_of(body)
    prompts = must(_prompts, body, "prompt")
    for key in ("n", "best_of"):
        maybe(as_one, body, key)
    most, stops = maybe(as_count, body, "max_tokens"), maybe(as_stops, body, "stop") or ()
    streamed = maybe(as_flag, body, "stream")
    options = maybe(as_object, body, "stream_options") or {}
    with_usage = maybe(as_flag, options, "include_usage", "stream_options") or False
    replies = [answer(Prompt((Turn("user", text),), max_tokens=most, stop=stops)) for text in prompts]
    if streamed:
        return event_stream(_events(replies, model, stamp, with_usage))
    choices = [_choice(place, reply.text, reply.finish) for place, reply in enumerate(replies)]
    return whole(_head(model, stamp) | {"choices": choices, "usage": _usage(replies)})


def _prompts(value: Any, field: str) -> list[str]:
    if isinstance(value, str):
        return [value]
    prompts = [as_text(item, f"{field}[{place}]") for place, item in enumerate(as_filled_array(value, field))]
    if len(prompts) > MOST_PROMPTS:
        raise invalid(field, f"at most {MOST_PROMPTS} prompts")
    return prompts


def _head(model: str, stamp: Stamp) -> JsonObject:
    return {"id": stamp.name("cmpl-"), "object": "text_completion", "created": stamp.created, "model": model}


def _choice(place: int, text: str, finish: str | None) -> JsonObject:
    return {"index": place, "text": text, "logprobs": None, "finish_reason": finish}


def _usage(replies: list[Reply]) -> JsonObject:
    return usage(sum(reply.input_tokens for reply in replies), sum(reply.output_tokens for reply in replies))


def _events(replies: list[Reply], model: str, stamp: Stamp, with_usage: bool) -> Iterator[bytes]:
    head = _head(model, stamp) | ({"usage": None} if with_usage else {})
    for place, reply in enumerate(replies):
        for piece in deltas(reply.pieces):
            yield data(head | {"choices": [_choice(place, piece, None)]})
        yield data(head | {"choices": [_choice(place, "", reply.finish)]})
    if with_usage:
        yield data(head | {"choices": [], "usage": _usage(replies)})
    yield DONE
