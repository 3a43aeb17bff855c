"""OpenAI Chat Completions, read. Knows that format's requests and the demo model's prompts; no answer."""

from collections.abc import Iterator
from typing import Any

from ingate.providers.demo.calling import Tool
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
from ingate.providers.demo.model import Choice, Prompt, Role, Turn
from ingate.providers.demo.names import manner
from ingate.providers.demo.tooling import forced, offered

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
_EFFORTS = {"none": 0, "minimal": 1, "low": 1, "medium": 2, "high": 3, "xhigh": 3, "max": 3}


def prompt_of(body: JsonObject, model: str) -> Prompt:
    """Returns the prompt of a chat request. Raises `Fault`."""
    turns = tuple(
        turn for place, item in enumerate(must(as_filled_array, body, "messages")) for turn in _turns(item, place)
    )
    tools = offered([_tool(item, place) for place, item in enumerate(maybe(as_array, body, "tools") or [])], "tools")
    choice, allowed = tool_choice(body, tools, nested=True)
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
        parallel=maybe(as_flag, body, "parallel_tool_calls") is not False,
        thinks=maybe(as_effort, body, "reasoning_effort") or 0,
        refuses=manner(model).refuses,
    )


def as_effort(value: Any, field: str) -> int:
    """Returns how hard to think, from 0 to 3, if `value` is one of OpenAI's words for it. Raises `Fault`."""
    effort = _EFFORTS.get(value) if isinstance(value, str) else None
    if effort is None:
        raise invalid(field, "one of " + ", ".join(_EFFORTS))
    return effort


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


def tool_choice(body: JsonObject, tools: tuple[Tool, ...], *, nested: bool) -> tuple[Choice, tuple[str, ...]]:
    """Returns the mode and the names of `tool_choice`. Raises `Fault`.

    What is chosen lies in the member of the choice that is named as its type, where they are `nested`, or in the choice
    itself.
    """
    choice, where = body.get("tool_choice"), "tool_choice"
    if isinstance(choice, dict):
        return _chosen(choice, tools, where, nested=nested)
    match choice:
        case "none":
            return "none", ()
        case "auto" | None:
            return "auto", ()
        case "required":
            return "required", forced(tools, [], where)
        case _:
            raise invalid(where, "none, auto, required or a tool")


def _chosen(choice: JsonObject, tools: tuple[Tool, ...], where: str, *, nested: bool) -> tuple[Choice, tuple[str, ...]]:
    kind = maybe(as_name, choice, "type", where) or "function"
    if kind not in ("function", "custom", "allowed_tools"):
        # A tool that vendors run. The model runs none, so it answers in text.
        return "auto", ()
    if nested:
        choice, where = must(as_object, choice, kind, where), path(where, kind)
    if kind != "allowed_tools":
        name = must(as_name, choice, "name", where)
        return "required", forced(tools, [name], path(where, "name"))
    names = []
    for place, item in enumerate(must(as_array, choice, "tools", where)):
        tool = as_object(item, f"{where}.tools[{place}]")
        inner: Any = tool.get(str(tool.get("type"))) if nested else tool
        listed = inner.get("name") if isinstance(inner, dict) else None
        names += [listed] if isinstance(listed, str) else []
    required = maybe(as_text, choice, "mode", where) == "required"
    return "required" if required else "auto", forced(tools, names, path(where, "tools"))


def named_tool(kind: str, members: JsonObject, where: str) -> Tool:
    """Returns a tool whose name and schema are in `members`; its `kind` is OpenAI's word. Raises `Fault`."""
    name, described = must(as_name, members, "name", where), maybe(as_text, members, "description", where) or ""
    if kind == "custom":
        return Tool(name, described, None, free=True)
    return Tool(name, described, maybe(as_object, members, "parameters", where) or {})


def _turns(item: Any, place: int) -> Iterator[Turn]:
    where = f"messages[{place}]"
    message = as_object(item, where)
    role = must(as_text, message, "role", where)
    if role not in _ROLES:
        raise invalid(path(where, "role"), "one of " + ", ".join(_ROLES))
    calls = maybe(as_array, message, "tool_calls", where) or []
    if role == "tool":
        must(as_name, message, "tool_call_id", where)
    if role == "assistant":
        # Calls, a refusal, or audio that was spoken before stand for the text.
        text = maybe(text_of, message, "content", where) or maybe(as_text, message, "refusal", where) or ""
    else:
        text = must(text_of, message, "content", where)
    yield Turn(_ROLES[role], text)
    for number, call in enumerate(calls):
        at = f"{where}.tool_calls[{number}]"
        members = as_object(call, at)
        kind, given = ("custom", "input") if members.get("type") == "custom" else ("function", "arguments")
        function = must(as_object, members, kind, at)
        at = path(at, kind)
        yield Turn("assistant", must(as_name, function, "name", at))
        yield Turn("assistant", maybe(as_text, function, given, at) or "")


def _tool(item: Any, place: int) -> Tool:
    where = f"tools[{place}]"
    tool = as_object(item, where)
    kind = must(as_name, tool, "type", where)
    if kind not in ("function", "custom"):
        return Tool(kind, "", None, hosted=True)
    return named_tool(kind, must(as_object, tool, kind, where), path(where, kind))


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
