"""Anthropic Messages, answered. Knows that format and the demo model; no HTTP."""

from collections.abc import Iterator
from typing import Any

from ingate.providers.demo.answers import Answer, Stamp, deltas, event_stream, named, whole
from ingate.providers.demo.catalogue import model_of
from ingate.providers.demo.fields import (
    JsonObject,
    as_array,
    as_count,
    as_filled_array,
    as_flag,
    as_name,
    as_object,
    as_stops,
    as_text,
    invalid,
    maybe,
    must,
    path,
)
from ingate.providers.demo.model import Choice, Prompt, Reply, Role, Tool, Turn, answer, as_json, read
from ingate.providers.demo.tooling import forced, offered

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}


def messages(body: JsonObject, stamp: Stamp) -> Answer:
    """Answers POST /v1/messages, whole or streamed. Raises `Fault`."""
    model = model_of(body)
    prompt = _prompt(body, must(as_count, body, "max_tokens"))
    streamed = maybe(as_flag, body, "stream")
    reply = answer(prompt)
    if streamed:
        return event_stream(named(event) for event in _events(reply, model, stamp))
    head = _message(model, stamp)
    used = _usage(reply.input_tokens, reply.output_tokens)
    return whole(head | {"content": _content(reply, stamp)} | _stop(reply) | {"usage": used})


def count_tokens(body: JsonObject, _: Stamp) -> Answer:
    """Answers POST /v1/messages/count_tokens. Raises `Fault`."""
    model_of(body)
    return whole({"input_tokens": read(_prompt(body, None))})


def _prompt(body: JsonObject, most: int | None) -> Prompt:
    turns = [Turn("system", text) for text in [maybe(_text_of, body, "system")] if text]
    for place, item in enumerate(must(as_filled_array, body, "messages")):
        turns += _turns(item, f"messages[{place}]")
    tools = offered(
        [_tool(item, f"tools[{n}]") for n, item in enumerate(maybe(as_array, body, "tools") or [])], "tools"
    )
    choice, allowed = _choice(body, tools)
    output = maybe(as_object, body, "output_config") or {}
    form = maybe(as_object, output, "format", "output_config")
    schema = None if form is None else must(as_object, form, "schema", "output_config.format")
    stops = maybe(as_stops, body, "stop_sequences") or ()
    return Prompt(tuple(turns), tools, choice, allowed, most, stops, json=form is not None, schema=schema)


def _choice(body: JsonObject, tools: tuple[Tool, ...]) -> tuple[Choice, tuple[str, ...]]:
    choice = maybe(as_object, body, "tool_choice") or {"type": "auto"}
    match must(as_text, choice, "type", "tool_choice"):
        case "auto":
            return "auto", ()
        case "none":
            return "none", ()
        case "any":
            return "required", forced(tools, [], "tool_choice")
        case "tool":
            name = must(as_name, choice, "name", "tool_choice")
            return "required", forced(tools, [name], "tool_choice.name")
        case _:
            raise invalid("tool_choice.type", "auto, any, tool or none")


def _turns(value: Any, where: str) -> list[Turn]:
    message = as_object(value, where)
    role = must(as_text, message, "role", where)
    if role not in _ROLES:
        raise invalid(path(where, "role"), "user or assistant")
    content, field = message.get("content"), path(where, "content")
    if isinstance(content, str):
        return [Turn(_ROLES[role], content)]
    blocks = must(as_array, message, "content", where)
    return [turn for place, item in enumerate(blocks) for turn in _block(item, f"{field}[{place}]", _ROLES[role])]


def _block(value: Any, where: str, role: Role) -> list[Turn]:
    block = as_object(value, where)
    match must(as_name, block, "type", where):
        case "text":
            return [Turn(role, must(as_text, block, "text", where))]
        case "tool_use":
            must(as_name, block, "id", where)
            name, given = must(as_name, block, "name", where), must(as_object, block, "input", where)
            return [Turn("assistant", name), Turn("assistant", as_json(given))]
        case "tool_result":
            must(as_name, block, "tool_use_id", where)
            return [Turn("tool", maybe(_text_of, block, "content", where) or "")]
        case _:
            # Images, documents and thinking are taken and not read.
            return []


def _text_of(value: Any, field: str) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise invalid(field, "a string or an array of blocks")
    blocks = [as_object(item, f"{field}[{place}]") for place, item in enumerate(as_array(value, field))]
    texts = [maybe(as_text, block, "text", f"{field}[{place}]") for place, block in enumerate(blocks)]
    return "\n".join(text for text in texts if text)


def _tool(value: Any, where: str) -> Tool:
    tool = as_object(value, where)
    if (maybe(as_text, tool, "type", where) or "custom") != "custom":
        raise invalid(path(where, "type"), "custom")
    described = maybe(as_text, tool, "description", where) or ""
    return Tool(must(as_name, tool, "name", where), described, must(as_object, tool, "input_schema", where))


def _message(model: str, stamp: Stamp) -> JsonObject:
    return {"id": stamp.name("msg_"), "type": "message", "role": "assistant", "model": model}


def _usage(input_tokens: int, output_tokens: int) -> JsonObject:
    cached = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    return {"input_tokens": input_tokens, "output_tokens": output_tokens} | cached


def _stop(reply: Reply) -> JsonObject:
    if reply.stop_sequence is not None:
        return {"stop_reason": "stop_sequence", "stop_sequence": reply.stop_sequence}
    reason = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}[reply.finish]
    return {"stop_reason": reason, "stop_sequence": None}


def _content(reply: Reply, stamp: Stamp) -> list[JsonObject]:
    if reply.call is not None:
        named_call = {"id": stamp.name("toolu_"), "name": reply.call.name, "input": reply.call.arguments}
        return [{"type": "tool_use"} | named_call]
    return [{"type": "text", "text": reply.text}] if reply.pieces else []


def _events(reply: Reply, model: str, stamp: Stamp) -> Iterator[JsonObject]:
    start = _message(model, stamp) | {"content": [], "stop_reason": None, "stop_sequence": None}
    yield {"type": "message_start", "message": start | {"usage": _usage(reply.input_tokens, 0)}}
    for block in _content(reply, stamp):
        empty: JsonObject = {"text": ""} if reply.call is None else {"input": {}}
        yield {"type": "content_block_start", "index": 0, "content_block": block | empty}
        yield {"type": "ping"}
        for piece in deltas(reply.pieces):
            yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
        for piece in deltas(reply.call.pieces if reply.call is not None else ()):
            delta = {"type": "input_json_delta", "partial_json": piece}
            yield {"type": "content_block_delta", "index": 0, "delta": delta}
        yield {"type": "content_block_stop", "index": 0}
    yield {"type": "message_delta", "delta": _stop(reply), "usage": _usage(reply.input_tokens, reply.output_tokens)}
    yield {"type": "message_stop"}
