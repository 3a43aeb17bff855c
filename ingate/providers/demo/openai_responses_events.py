"""The event sequence of a streamed OpenAI response, from `response.created` to the terminal event. No HTTP."""

from collections.abc import Iterator

from ingate.providers.demo import likelihoods, tokens
from ingate.providers.demo.answers import deltas, named
from ingate.providers.demo.fields import JsonObject
from ingate.providers.demo.model import Call, Reply
from ingate.providers.demo.openai_responses_shape import Shape

_EMPTY: dict[str, JsonObject] = {
    "message": {"content": [], "status": "in_progress"},
    "function_call": {"arguments": "", "status": "in_progress"},
    "custom_tool_call": {"input": "", "status": "in_progress"},
    "reasoning": {"summary": []},
}


def events(reply: Reply, shape: Shape) -> Iterator[bytes]:
    """Returns the stream of `reply` as server-sent events, numbered from zero."""
    for number, event in enumerate(_events(reply, shape)):
        yield named(event | {"sequence_number": number})


def _events(reply: Reply, shape: Shape) -> Iterator[JsonObject]:
    begun = shape.begun()
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    calls = iter(reply.calls)
    for place, item in enumerate(shape.items(reply)):
        kind = item["type"]
        yield {"type": "response.output_item.added", "output_index": place, "item": item | _EMPTY[kind]}
        where = {"item_id": item["id"], "output_index": place}
        if kind == "reasoning":
            yield from _thoughts(reply, item, where)
        elif kind == "message":
            yield from _text(reply, shape, where)
        else:
            yield from _call(next(calls), where)
        yield {"type": "response.output_item.done", "output_index": place, "item": item}
    ended = "response.incomplete" if reply.finish == "length" else "response.completed"
    yield {"type": ended, "response": shape.ended(reply)}


def _thoughts(reply: Reply, item: JsonObject, where: JsonObject) -> Iterator[JsonObject]:
    for number, part in enumerate(item["summary"]):
        at = where | {"summary_index": number}
        yield at | {"type": "response.reasoning_summary_part.added", "part": part | {"text": ""}}
        for piece in deltas(reply.thoughts):
            yield at | {"type": "response.reasoning_summary_text.delta", "delta": piece}
        yield at | {"type": "response.reasoning_summary_text.done", "text": part["text"]}
        yield at | {"type": "response.reasoning_summary_part.done", "part": part}


def _text(reply: Reply, shape: Shape, where: JsonObject) -> Iterator[JsonObject]:
    at, part = where | {"content_index": 0}, shape.part(reply)
    if part["type"] == "refusal":
        yield at | {"type": "response.content_part.added", "part": part | {"refusal": ""}}
        for piece in deltas(reply.pieces):
            yield at | {"type": "response.refusal.delta", "delta": piece}
        yield at | {"type": "response.refusal.done", "refusal": reply.text}
    else:
        yield at | {"type": "response.content_part.added", "part": part | {"text": "", "logprobs": []}}
        start, number = 0, shape.told.alternatives
        for piece in deltas(reply.pieces):
            parts = tokens.split(piece) if number is not None else ()
            likely = likelihoods.openai(parts, number or 0, start)
            yield at | {"type": "response.output_text.delta", "delta": piece, "logprobs": likely}
            start += len(parts)
        yield at | {"type": "response.output_text.done", "text": reply.text, "logprobs": part["logprobs"]}
    yield at | {"type": "response.content_part.done", "part": part}


def _call(call: Call, where: JsonObject) -> Iterator[JsonObject]:
    kind = "response.custom_tool_call_input" if call.free else "response.function_call_arguments"
    for piece in deltas(call.pieces):
        yield where | {"type": f"{kind}.delta", "delta": piece}
    if call.free:
        yield where | {"type": f"{kind}.done", "input": call.text}
    else:
        yield where | {"type": f"{kind}.done", "name": call.name, "arguments": call.text}
