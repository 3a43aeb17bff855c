"""Anthropic Messages, answered. Knows that format and the demo model; no HTTP."""

import base64
from collections.abc import Iterator, Sequence

from ingate.providers.demo.answers import Answer, Stamp, deltas, event_stream, named, whole
from ingate.providers.demo.anthropic_request import prompt_of, shows_thoughts
from ingate.providers.demo.fields import JsonObject, as_count, as_flag, maybe, must
from ingate.providers.demo.model import Reply, answer, read

_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "refusal": "refusal"}
_REFUSED = {"type": "refusal", "category": None, "explanation": "This model refuses every request."}

Block = tuple[JsonObject, JsonObject, tuple[tuple[str, str, Sequence[str]], ...]]
"""A content block; what of it is empty as it begins; its deltas: their type, their member and their pieces."""


def messages(body: JsonObject, model: str, stamp: Stamp) -> Answer:
    """Answers POST /v1/messages, whole or streamed. Raises `Fault`."""
    prompt = prompt_of(body, model, must(as_count, body, "max_tokens"))
    streamed = maybe(as_flag, body, "stream")
    reply = answer(prompt)
    blocks = _blocks(reply, stamp, shown=shows_thoughts(body))
    if streamed:
        return event_stream(named(event) for event in _events(reply, blocks, model, stamp))
    content = {"content": [block for block, _, _ in blocks]}
    return whole(_message(model, stamp) | content | _stop(reply) | {"usage": _usage(reply)})


def count_tokens(body: JsonObject, model: str, _: Stamp) -> Answer:
    """Answers POST /v1/messages/count_tokens. Raises `Fault`."""
    return whole({"input_tokens": read(prompt_of(body, model, None)).total})


def _message(model: str, stamp: Stamp) -> JsonObject:
    return {"id": stamp.name("msg_"), "type": "message", "role": "assistant", "model": model}


def _usage(reply: Reply, *, begun: bool = False) -> JsonObject:
    count = reply.input
    used: JsonObject = {
        "input_tokens": count.total - count.cached - count.written,
        "output_tokens": 0 if begun else reply.output_tokens,
        "cache_creation_input_tokens": count.written,
        "cache_read_input_tokens": count.cached,
    }
    return used | ({"output_tokens_details": {"thinking_tokens": len(reply.thoughts)}} if not begun else {})


def _stop(reply: Reply) -> JsonObject:
    if reply.stop_sequence is not None:
        return {"stop_reason": "stop_sequence", "stop_sequence": reply.stop_sequence}
    refused = {"stop_details": _REFUSED} if reply.finish == "refusal" else {}
    return {"stop_reason": _STOPS[reply.finish], "stop_sequence": None} | refused


def _blocks(reply: Reply, stamp: Stamp, *, shown: bool) -> list[Block]:
    blocks: list[Block] = []
    if reply.thoughts:
        signature = base64.b64encode(bytes.fromhex(stamp.digest)).decode()
        thought = {"type": "thinking", "thinking": reply.thought if shown else "", "signature": signature}
        said = ("thinking_delta", "thinking", reply.thoughts if shown else ())
        signed = ("signature_delta", "signature", (signature,))
        blocks.append((thought, {"thinking": "", "signature": ""}, (said, signed)))
    if reply.pieces:
        text = ("text_delta", "text", reply.pieces)
        blocks.append(({"type": "text", "text": reply.text}, {"text": ""}, (text,)))
    for place, call in enumerate(reply.calls):
        made = {"id": stamp.name("toolu_", place), "name": call.name, "input": call.arguments}
        blocks.append(
            ({"type": "tool_use"} | made, {"input": {}}, (("input_json_delta", "partial_json", call.pieces),))
        )
    return blocks


def _events(reply: Reply, blocks: list[Block], model: str, stamp: Stamp) -> Iterator[JsonObject]:
    start = _message(model, stamp) | {"content": [], "stop_reason": None, "stop_sequence": None}
    yield {"type": "message_start", "message": start | {"usage": _usage(reply, begun=True)}}
    for place, (block, empty, streams) in enumerate(blocks):
        yield {"type": "content_block_start", "index": place, "content_block": block | empty}
        if not place:
            yield {"type": "ping"}
        for kind, member, pieces in streams:
            for piece in deltas(pieces):
                yield {"type": "content_block_delta", "index": place, "delta": {"type": kind, member: piece}}
        yield {"type": "content_block_stop", "index": place}
    yield {"type": "message_delta", "delta": _stop(reply), "usage": _usage(reply)}
    yield {"type": "message_stop"}
