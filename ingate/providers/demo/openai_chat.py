"""OpenAI Chat Completions, answered. Knows that format and the demo model; no HTTP."""

from collections.abc import Iterator
from typing import Any

from ingate.providers.demo.answers import Answer, Stamp, data, deltas, event_stream, whole
from ingate.providers.demo.catalogue import model_of
from ingate.providers.demo.fields import (
    JsonObject,
    as_array,
    as_count,
    as_filled_array,
    as_flag,
    as_name,
    as_object,
    as_one,
    as_stops,
    as_text,
    invalid,
    maybe,
    must,
    path,
)
from ingate.providers.demo.model import Choice, Prompt, Reply, Role, Tool, Turn, answer
from ingate.providers.demo.tooling import forced, offered

DONE = b"data: [DONE]\n\n"

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}


def chat_completions(body: JsonObject, stamp: Stamp) -> Answer:
    """Answers POST /v1/chat/completions, whole or streamed. Raises `Fault`."""
    model = model_of(body)
    prompt = _prompt(body)
    maybe(as_one, body, "n")
    streamed = maybe(as_flag, body, "stream")
    options = maybe(as_object, body, "stream_options") or {}
    with_usage = maybe(as_flag, options, "include_usage", "stream_options") or False
    reply = answer(prompt)
    if streamed:
        return event_stream(_events(reply, model, stamp, with_usage))
    choice = {"index": 0, "message": _message(reply, stamp), "logprobs": None, "finish_reason": reply.finish}
    head = _head("chat.completion", model, stamp)
    return whole(head | {"choices": [choice], "usage": usage(reply.input_tokens, reply.output_tokens)})


def usage(input_tokens: int, output_tokens: int) -> JsonObject:
    """Returns OpenAI's usage object; nothing is cached, reasoned or heard."""
    return {
        "prompt_tokens": input_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def text_of(value: Any, field: str) -> str:
    """Returns the text of a content that is a string or an array of typed parts. Raises `Fault`."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise invalid(field, "a string or an array of parts")
    texts = []
    for place, item in enumerate(as_array(value, field)):
        where = f"{field}[{place}]"
        part = as_object(item, where)
        must(as_name, part, "type", where)
        # Parts without text (images, audio, files) are taken and not read.
        texts += [maybe(as_text, part, key, where) for key in ("text", "refusal")]
    return "\n".join(text for text in texts if text)


def tool_choice(body: JsonObject, tools: tuple[Tool, ...], named_in: str | None) -> tuple[Choice, tuple[str, ...]]:
    """Returns the mode and the names of `tool_choice`. Raises `Fault`.

    A chosen function's name lies in the member `named_in` of the choice, or in the choice itself.
    """
    choice, where = body.get("tool_choice"), "tool_choice"
    if isinstance(choice, dict):
        if named_in is not None:
            choice, where = must(as_object, choice, named_in, where), path(where, named_in)
        name = must(as_name, choice, "name", where)
        return "required", forced(tools, [name], path(where, "name"))
    match choice:
        case "none":
            return "none", ()
        case "auto" | None:
            return "auto", ()
        case "required":
            return "required", forced(tools, [], where)
        case _:
            raise invalid(where, "none, auto, required or a function")


def _prompt(body: JsonObject) -> Prompt:
    turns = tuple(
        turn for place, item in enumerate(must(as_filled_array, body, "messages")) for turn in _turns(item, place)
    )
    tools = offered([_tool(item, place) for place, item in enumerate(maybe(as_array, body, "tools") or [])], "tools")
    choice, allowed = tool_choice(body, tools, named_in="function")
    form, schema = _response_format(body)
    limits = [maybe(as_count, body, key) for key in ("max_completion_tokens", "max_tokens")]
    return Prompt(
        turns=turns,
        tools=tools,
        choice=choice,
        allowed=allowed,
        max_tokens=limits[0] or limits[1],
        stop=maybe(as_stops, body, "stop") or (),
        json=form != "text",
        schema=schema,
    )


def _turns(item: Any, place: int) -> Iterator[Turn]:
    where = f"messages[{place}]"
    message = as_object(item, where)
    role = must(as_text, message, "role", where)
    if role not in _ROLES:
        raise invalid(path(where, "role"), "one of " + ", ".join(_ROLES))
    calls = maybe(as_array, message, "tool_calls", where) or []
    if role == "tool":
        must(as_name, message, "tool_call_id", where)
    if calls and role == "assistant":
        text = maybe(text_of, message, "content", where) or ""
    elif role == "assistant":
        text = maybe(text_of, message, "content", where) or maybe(as_text, message, "refusal", where) or ""
    else:
        text = must(text_of, message, "content", where)
    yield Turn(_ROLES[role], text)
    for number, call in enumerate(calls):
        at = f"{where}.tool_calls[{number}]"
        function = must(as_object, as_object(call, at), "function", at)
        at += ".function"
        yield Turn("assistant", must(as_name, function, "name", at))
        yield Turn("assistant", maybe(as_text, function, "arguments", at) or "")


def _tool(item: Any, place: int) -> Tool:
    where = f"tools[{place}]"
    tool = as_object(item, where)
    if tool.get("type") != "function":
        raise invalid(path(where, "type"), "function")
    function = must(as_object, tool, "function", where)
    where += ".function"
    name = must(as_name, function, "name", where)
    described = maybe(as_text, function, "description", where) or ""
    return Tool(name, described, maybe(as_object, function, "parameters", where) or {})


def _response_format(body: JsonObject) -> tuple[str, Any]:
    form = maybe(as_object, body, "response_format")
    if form is None:
        return "text", None
    kind = must(as_text, form, "type", "response_format")
    if kind == "json_schema":
        described = must(as_object, form, "json_schema", "response_format")
        return kind, maybe(as_object, described, "schema", "response_format.json_schema")
    if kind not in ("text", "json_object"):
        raise invalid("response_format.type", "text, json_object or json_schema")
    return kind, None


def _head(kind: str, model: str, stamp: Stamp) -> JsonObject:
    named = {"id": stamp.name("chatcmpl-"), "object": kind, "created": stamp.created, "model": model}
    return named | {"service_tier": "default", "system_fingerprint": "fp_ingate_demo"}


def _message(reply: Reply, stamp: Stamp) -> JsonObject:
    message: JsonObject = {"role": "assistant", "content": reply.text, "refusal": None, "annotations": []}
    if reply.call is None:
        return message
    function = {"name": reply.call.name, "arguments": "".join(reply.call.pieces)}
    call = {"id": stamp.name("call_"), "type": "function", "function": function}
    return message | {"content": None, "tool_calls": [call]}


def _events(reply: Reply, model: str, stamp: Stamp, with_usage: bool) -> Iterator[bytes]:
    head = _head("chat.completion.chunk", model, stamp) | ({"usage": None} if with_usage else {})

    def chunk(delta: JsonObject, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return data(head | {"choices": [choice]})

    yield chunk({"role": "assistant", "content": "" if reply.call is None else None, "refusal": None})
    for piece in deltas(reply.pieces):
        yield chunk({"content": piece})
    if reply.call is not None:
        function = {"name": reply.call.name, "arguments": ""}
        yield chunk({"tool_calls": [{"index": 0, "id": stamp.name("call_"), "type": "function", "function": function}]})
        for piece in deltas(reply.call.pieces):
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    yield chunk({}, reply.finish)
    if with_usage:
        yield data(head | {"choices": [], "usage": usage(reply.input_tokens, reply.output_tokens)})
    yield DONE
