"""OpenAI's legacy Completions, answered. Knows that format and the demo model; no HTTP."""

from collections.abc import Iterator
from typing import Any

from ingate.providers.demo import likelihoods, tokens
from ingate.providers.demo.answers import Answer, Stamp, data, deltas, event_stream, whole
from ingate.providers.demo.fields import (
    JsonObject,
    as_alternatives,
    as_count,
    as_few,
    as_filled_array,
    as_flag,
    as_stops,
    as_text,
    invalid,
    maybe,
    must,
)
from ingate.providers.demo.model import Prompt, Reply, Turn, answers
from ingate.providers.demo.names import manner
from ingate.providers.demo.openai_chat import DONE, usage, with_usage

MOST_PROMPTS = 20


def completions(body: JsonObject, model: str, stamp: Stamp) -> Answer:
    """Answers POST /v1/completions: `n` choices for each prompt, whole or streamed. Raises `Fault`."""
    prompts = must(_prompts, body, "prompt")
    number = maybe(as_few, body, "n") or 1
    if (maybe(as_few, body, "best_of") or number) < number:
        raise invalid("best_of", "at least n")
    most, stops = maybe(as_count, body, "max_tokens"), maybe(as_stops, body, "stop") or ()
    told = maybe(as_alternatives, body, "logprobs")
    streamed, ending = maybe(as_flag, body, "stream"), with_usage(body)
    refuses = manner(model).refuses
    asked = [Prompt((Turn("user", text),), max_tokens=most, stop=stops, refuses=refuses) for text in prompts]
    groups = [answers(prompt, number) for prompt in asked]
    replies = [reply for group in groups for reply in group]
    if streamed:
        return event_stream(_events(groups, model, stamp, told, ending))
    choices = [_choice(place, reply.text, reply, told) for place, reply in enumerate(replies)]
    return whole(_head(model, stamp) | {"choices": choices, "usage": _usage(groups)})


def _prompts(value: Any, field: str) -> list[str]:
    if isinstance(value, str):
        return [value]
    prompts = [as_text(item, f"{field}[{place}]") for place, item in enumerate(as_filled_array(value, field))]
    if len(prompts) > MOST_PROMPTS:
        raise invalid(field, f"at most {MOST_PROMPTS} prompts")
    return prompts


def _head(model: str, stamp: Stamp) -> JsonObject:
    return {"id": stamp.name("cmpl-"), "object": "text_completion", "created": stamp.created, "model": model}


def _choice(place: int, text: str, reply: Reply, told: int | None) -> JsonObject:
    likely = None if told is None else likelihoods.completions(reply.pieces, told)
    return {"index": place, "text": text, "logprobs": likely, "finish_reason": _finish(reply)}


def _finish(reply: Reply) -> str:
    return "content_filter" if reply.finish == "refusal" else reply.finish


def _usage(groups: list[list[Reply]]) -> JsonObject:
    several = [usage(replies) for replies in groups]
    totals = ("prompt_tokens", "completion_tokens", "total_tokens")
    return several[0] | {name: sum(used[name] for used in several) for name in totals}


def _events(groups: list[list[Reply]], model: str, stamp: Stamp, told: int | None, ending: bool) -> Iterator[bytes]:
    head = _head(model, stamp) | ({"usage": None} if ending else {})
    for place, reply in enumerate(reply for group in groups for reply in group):
        offset = start = 0
        for piece in deltas(reply.pieces):
            parts = tokens.split(piece)
            likely = None if told is None else likelihoods.completions(parts, told, start, offset)
            yield data(head | {"choices": [_piece(place, piece) | {"logprobs": likely}]})
            offset += len(piece)
            start += len(parts)
        yield data(head | {"choices": [_piece(place, "") | {"finish_reason": _finish(reply)}]})
    if ending:
        yield data(head | {"choices": [], "usage": _usage(groups)})
    yield DONE


def _piece(place: int, text: str) -> JsonObject:
    return {"index": place, "text": text, "logprobs": None, "finish_reason": None}
