"""OpenAI Responses, read. Knows that format's requests and the demo model's prompts; no answer."""

from dataclasses import dataclass
from typing import Any

from ingate.providers.demo.calling import Tool
from ingate.providers.demo.fields import (
    JsonObject,
    as_alternatives,
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
from ingate.providers.demo.model import Prompt, Role, Turn
from ingate.providers.demo.names import manner
from ingate.providers.demo.openai_chat_request import as_effort, named_tool, text_of, tool_choice
from ingate.providers.demo.tooling import offered

_ROLES: dict[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_LIKELIHOODS = "message.output_text.logprobs"
_SEALED_THOUGHTS = "reasoning.encrypted_content"


@dataclass(frozen=True, slots=True)
class Told:
    """What a caller wants to know beside the text.

    `summary`: of the thoughts. `sealed`: the thoughts encrypted. `alternatives` of each token, None for no likelihoods.
    """

    summary: bool = False
    sealed: bool = False
    alternatives: int | None = None


def told_of(body: JsonObject) -> Told:
    """Returns what the request wants to know. Raises `Fault`."""
    included = [as_text(item, f"include[{n}]") for n, item in enumerate(maybe(as_array, body, "include") or [])]
    reasoning = maybe(as_object, body, "reasoning") or {}
    number = maybe(as_alternatives, body, "top_logprobs") or 0
    return Told(
        summary=any(maybe(as_text, reasoning, key, "reasoning") for key in ("summary", "generate_summary")),
        sealed=_SEALED_THOUGHTS in included,
        alternatives=number if number or _LIKELIHOODS in included else None,
    )


def prompt_of(body: JsonObject, model: str, before: tuple[Turn, ...]) -> Prompt:
    """Returns the prompt of a request that continues what was said `before`. Raises `Fault`."""
    instructions = maybe(as_text, body, "instructions")
    turns = [*([] if instructions is None else [Turn("system", instructions)]), *before]
    given = body.get("input")
    if isinstance(given, str):
        turns.append(Turn("user", given))
    else:
        for place, item in enumerate(must(as_filled_array, body, "input")):
            turns += _turns(item, f"input[{place}]")
    tools = offered(
        [tool for n, item in enumerate(maybe(as_array, body, "tools") or []) for tool in _tools(item, f"tools[{n}]")],
        "tools",
    )
    choice, allowed = tool_choice(body, tools, nested=False)
    kind, schema = _format(body)
    reasoning = maybe(as_object, body, "reasoning") or {}
    return Prompt(
        turns=tuple(turns),
        tools=tools,
        choice=choice,
        allowed=allowed,
        max_tokens=maybe(as_count, body, "max_output_tokens"),
        json=kind != "text",
        schema=schema,
        parallel=maybe(as_flag, body, "parallel_tool_calls") is not False,
        thinks=maybe(as_effort, reasoning, "effort", "reasoning") or 0,
        refuses=manner(model).refuses,
    )


def _turns(value: Any, where: str) -> list[Turn]:
    item = as_object(value, where)
    kind = maybe(as_name, item, "type", where) or "message"
    match kind:
        case "message":
            role = must(as_text, item, "role", where)
            if role not in _ROLES:
                raise invalid(path(where, "role"), "one of " + ", ".join(_ROLES))
            return [Turn(_ROLES[role], must(text_of, item, "content", where))]
        case "function_call" | "custom_tool_call":
            must(as_name, item, "call_id", where)
            given = "arguments" if kind == "function_call" else "input"
            name, arguments = must(as_name, item, "name", where), must(as_text, item, given, where)
            return [Turn("assistant", name), Turn("assistant", arguments)]
        case "function_call_output" | "custom_tool_call_output":
            must(as_name, item, "call_id", where)
            return [Turn("tool", must(text_of, item, "output", where))]
        case _ if kind.endswith("_output"):
            # What a tool of a kind that the model does not know has returned.
            output = item.get("output")
            return [Turn("tool", output if isinstance(output, str) else "")]
        case _:
            # Thoughts, references and calls of tools that vendors run are taken and not read.
            return []


def _tools(value: Any, where: str) -> list[Tool]:
    tool = as_object(value, where)
    kind = must(as_name, tool, "type", where)
    if kind == "namespace":
        inner = maybe(as_array, tool, "tools", where) or []
        return [made for n, item in enumerate(inner) for made in _tools(item, f"{where}.tools[{n}]")]
    if kind in ("function", "custom"):
        return [named_tool(kind, tool, where)]
    return [Tool(kind, "", None, hosted=True)]


def _format(body: JsonObject) -> tuple[str, Any]:
    options = maybe(as_object, body, "text") or {}
    form = maybe(as_object, options, "format", "text")
    if form is None:
        return "text", None
    kind = must(as_text, form, "type", "text.format")
    if kind not in ("text", "json_object", "json_schema"):
        raise invalid("text.format.type", "text, json_object or json_schema")
    return kind, must(as_object, form, "schema", "text.format") if kind == "json_schema" else None
