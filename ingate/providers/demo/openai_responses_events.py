"""The event sequence of a streamed OpenAI response, from `response.created` to the terminal event. No HTTP."""

from collections.abc import Iterator

from ingate.providers.demo.answers import Stamp, deltas, named
from ingate.providers.demo.fields import JsonObject
from ingate.providers.demo.model import Call, Reply
from ingate.providers.demo.openai_responses_shape import Shape, is_empty, item, part


def events(reply: Reply, shape: Shape, stamp: Stamp) -> Iterator[bytes]:
    """Returns the stream of `reply` as server-sent events, numbered from zero."""
    for number, event in enumerate(_events(reply, shape, stamp)):
        yield named(event | {"sequence_number": number})


def _events(reply: Reply, shape: Shape, stamp: Stamp) -> Iterator[JsonObject]:
    begun = shape.begun()
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    if not is_empty(reply):
        yield {"type": "response.output_item.added", "output_index": 0, "item": item(reply, stamp, done=False)}
        yield from _text(reply, stamp) if reply.call is None else _arguments(reply.call, stamp)
        yield {"type": "response.output_item.done", "output_index": 0, "item": item(reply, stamp, done=True)}
    ended = "response.incomplete" if reply.finish == "length" else "response.completed"
    yield {"type": ended, "response": shape.ended(reply)}


def _text(reply: Reply, stamp: Stamp) -> Iterator[JsonObject]:
    where = {"item_id": stamp.name("msg_"), "output_index": 0, "content_index": 0}
    yield where | {"type": "response.content_part.added", "part": part("")}
    for piece in deltas(reply.pieces):
        yield where | {"type": "response.output_text.delta", "delta": piece, "logprobs": []}
    yield where | {"type": "response.output_text.done", "text": reply.text, "logprobs": []}
    yield where | {"type": "response.content_part.done", "part": part(reply.text)}


def _arguments(call: Call, stamp: Stamp) -> Iterator[JsonObject]:
    where = {"item_id": stamp.name("fc_"), "output_index": 0}
    for piece in deltas(call.pieces):
        yield where | {"type": "response.function_call_arguments.delta", "delta": piece}
    text = "".join(call.pieces)
    yield where | {"type": "response.function_call_arguments.done", "name": call.name, "arguments": text}
