"""Anthropic Messages, read. Knows that format's requests and the demo model's prompts; no answer."""

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
from ingate.providers.demo.model import Choice, Prompt, Role, Turn, as_json
from ingate.providers.demo.names import manner
from ingate.providers.demo.tooling import forced, offered

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}
_EFFORTS = {"low": 1, "medium": 2}
_HARDEST = 3
_BUDGETS = ((4096, 1), (16_384, 2))
"""Tokens of a thinking budget below which thoughts are short, and middling."""


def prompt_of(body: JsonObject, model: str, most: int | None) -> Prompt:
    """Returns the prompt of a request whose answer may have `most` tokens. Raises `Fault`."""
    listed = maybe(as_array, body, "tools") or []
    tools = offered([_tool(item, f"tools[{n}]") for n, item in enumerate(listed)], "tools")
    # What stands first is cached first: the tools, the system's text, the messages.
    marked = 1 if any(item.get("cache_control") for item in listed) else 0
    turns = [Turn("system", text) for text in [maybe(_text_of, body, "system")] if text]
    if _is_marked(body.get("system")):
        marked = 1 + len(turns)
    for place, item in enumerate(must(as_filled_array, body, "messages")):
        for made, is_marked in _turns(item, f"messages[{place}]"):
            turns += made
            marked = 1 + len(turns) if is_marked else marked
    choice, allowed, parallel = _choice(body, tools)
    output = maybe(as_object, body, "output_config") or {}
    form = maybe(as_object, output, "format", "output_config")
    return Prompt(
        turns=tuple(turns),
        tools=tools,
        choice=choice,
        allowed=allowed,
        max_tokens=most,
        stop=maybe(as_stops, body, "stop_sequences") or (),
        json=form is not None,
        schema=None if form is None else must(as_object, form, "schema", "output_config.format"),
        parallel=parallel,
        thinks=_effort(body, output),
        marked=1 + len(turns) if body.get("cache_control") else marked,
        refuses=manner(model).refuses,
    )


def shows_thoughts(body: JsonObject) -> bool:
    """Tells whether thoughts are shown, and not left out for speed. Raises `Fault`."""
    thinking = maybe(as_object, body, "thinking") or {}
    return maybe(as_text, thinking, "display", "thinking") != "omitted"


def _effort(body: JsonObject, output: JsonObject) -> int:
    thinking = maybe(as_object, body, "thinking")
    if thinking is None:
        return 0
    kind = must(as_name, thinking, "type", "thinking")
    if kind == "enabled":
        budget = must(as_count, thinking, "budget_tokens", "thinking")
        return next((effort for below, effort in _BUDGETS if budget < below), _HARDEST)
    asked = maybe(as_text, output, "effort", "output_config") or "medium"
    return _EFFORTS.get(asked, _HARDEST) if kind == "adaptive" else 0


def _choice(body: JsonObject, tools: tuple[Tool, ...]) -> tuple[Choice, tuple[str, ...], bool]:
    choice = maybe(as_object, body, "tool_choice") or {"type": "auto"}
    parallel = maybe(as_flag, choice, "disable_parallel_tool_use", "tool_choice") is not True
    match must(as_text, choice, "type", "tool_choice"):
        case "auto":
            return "auto", (), parallel
        case "none":
            return "none", (), parallel
        case "any":
            return "required", forced(tools, [], "tool_choice"), parallel
        case "tool":
            name = must(as_name, choice, "name", "tool_choice")
            return "required", forced(tools, [name], "tool_choice.name"), parallel
        case _:
            raise invalid("tool_choice.type", "auto, any, tool or none")


def _turns(value: Any, where: str) -> list[tuple[list[Turn], bool]]:
    """Returns the turns of each block of a message, and whether the caller wants all up to there cached."""
    message = as_object(value, where)
    role = must(as_text, message, "role", where)
    if role not in _ROLES:
        raise invalid(path(where, "role"), "user or assistant")
    content, field = message.get("content"), path(where, "content")
    if isinstance(content, str):
        return [([Turn(_ROLES[role], content)], False)]
    blocks = must(as_array, message, "content", where)
    return [
        (_block(item, f"{field}[{place}]", _ROLES[role]), bool(item.get("cache_control")))
        for place, item in enumerate(blocks)
    ]


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


def _is_marked(blocks: Any) -> bool:
    return isinstance(blocks, list) and any(block.get("cache_control") for block in blocks)


def _tool(value: Any, where: str) -> Tool:
    tool = as_object(value, where)
    kind = maybe(as_name, tool, "type", where) or "custom"
    if kind != "custom":
        # A tool of Anthropic's own. The model knows the arguments of none.
        return Tool(maybe(as_name, tool, "name", where) or kind, "", None, hosted=True)
    described = maybe(as_text, tool, "description", where) or ""
    return Tool(must(as_name, tool, "name", where), described, must(as_object, tool, "input_schema", where))
