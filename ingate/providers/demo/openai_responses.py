"""OpenAI Responses, read and answered. Knows that format and the demo model; no HTTP. Keeps no responses."""

from typing import Any

from ingate.providers.demo.answers import Answer, Stamp, event_stream, whole
from ingate.providers.demo.catalogue import model_of
from ingate.providers.demo.fields import (
    Fault,
    JsonObject,
    as_array,
    as_count,
    as_filled_array,
    as_flag,
    as_name,
    as_object,
    as_text,
    invalid,
    maybe,
    must,
    path,
)
from ingate.providers.demo.model import Prompt, Role, Tool, Turn, answer
from ingate.providers.demo.openai_chat import text_of, tool_choice
from ingate.providers.demo.openai_responses_events import events
from ingate.providers.demo.openai_responses_shape import response
from ingate.providers.demo.tooling import offered

_ROLES: dict[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


def responses(body: JsonObject, stamp: Stamp) -> Answer:
    """Answers POST /v1/responses, whole or streamed. Raises `Fault`."""
    model = model_of(body)
    previous = maybe(as_text, body, "previous_response_id")
    if previous is not None:
        message = "Invalid value for 'previous_response_id': the demo provider keeps no responses."
        raise Fault(400, message, "previous_response_not_found", "previous_response_id")
    prompt = _prompt(body)
    streamed = maybe(as_flag, body, "stream")
    reply = answer(prompt)
    shape = response(body, model, stamp)
    return event_stream(events(reply, shape, stamp)) if streamed else whole(shape.ended(reply))


def _prompt(body: JsonObject) -> Prompt:
    told = maybe(as_text, body, "instructions")
    turns = [] if told is None else [Turn("system", told)]
    given = body.get("input")
    if isinstance(given, str):
        turns.append(Turn("user", given))
    else:
        for place, item in enumerate(must(as_filled_array, body, "input")):
            turns += _turns(item, f"input[{place}]")
    tools = offered(
        [_tool(item, f"tools[{n}]") for n, item in enumerate(maybe(as_array, body, "tools") or [])], "tools"
    )
    choice, allowed = tool_choice(body, tools, named_in=None)
    kind, schema = _format(body)
    most = maybe(as_count, body, "max_output_tokens")
    return Prompt(tuple(turns), tools, choice, allowed, most, json=kind != "text", schema=schema)


def _turns(value: Any, where: str) -> list[Turn]:
    item = as_object(value, where)
    match maybe(as_text, item, "type", where) or "message":
        case "message":
            role = must(as_text, item, "role", where)
            if role not in _ROLES:
                raise invalid(path(where, "role"), "one of " + ", ".join(_ROLES))
            return [Turn(_ROLES[role], must(text_of, item, "content", where))]
        case "function_call":
            must(as_name, item, "call_id", where)
            name, arguments = must(as_name, item, "name", where), must(as_text, item, "arguments", where)
            return [Turn("assistant", name), Turn("assistant", arguments)]
        case "function_call_output":
            must(as_name, item, "call_id", where)
            return [Turn("tool", must(text_of, item, "output", where))]
        case "reasoning":
            return []
        case _:
            raise invalid(path(where, "type"), "message, function_call, function_call_output or reasoning")


def _tool(value: Any, where: str) -> Tool:
    tool = as_object(value, where)
    if tool.get("type") != "function":
        raise invalid(path(where, "type"), "function")
    described = maybe(as_text, tool, "description", where) or ""
    return Tool(must(as_name, tool, "name", where), described, maybe(as_object, tool, "parameters", where) or {})


def _format(body: JsonObject) -> tuple[str, Any]:
    options = maybe(as_object, body, "text") or {}
    form = maybe(as_object, options, "format", "text")
    if form is None:
        return "text", None
    kind = must(as_text, form, "type", "text.format")
    if kind not in ("text", "json_object", "json_schema"):
        raise invalid("text.format.type", "text, json_object or json_schema")
    return kind, must(as_object, form, "schema", "text.format") if kind == "json_schema" else None
