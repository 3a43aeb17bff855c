"""Gemini generateContent, read. Knows that format's requests and the demo model's prompts; no answer."""

from typing import Any

from ingate.providers.demo.calling import Tool
from ingate.providers.demo.fields import (
    JsonObject,
    as_array,
    as_count,
    as_filled_array,
    as_integer,
    as_name,
    as_object,
    as_stops,
    as_text,
    invalid,
    maybe,
    must,
    path,
)
from ingate.providers.demo.gemini_names import camel
from ingate.providers.demo.model import Choice, Prompt, Role, Turn, as_json
from ingate.providers.demo.names import manner
from ingate.providers.demo.tooling import forced, offered

CONFIG = "generationConfig"

_ROLES: dict[str, Role] = {"user": "user", "model": "assistant", "function": "tool"}
_LEVELS = {"MINIMAL": 1, "LOW": 1, "MEDIUM": 2, "HIGH": 3}


def prompt_of(body: JsonObject, model: str) -> Prompt:
    """Returns the prompt of a request whose member names are in camelCase. Raises `Fault`."""
    told = maybe(as_object, body, "systemInstruction")
    turns = [] if told is None else [Turn("system", text) for text in texts_of(told, "systemInstruction")]
    for place, item in enumerate(must(as_filled_array, body, "contents")):
        turns += _turns(as_object(item, f"contents[{place}]"), f"contents[{place}]")
    listed = maybe(as_array, body, "tools") or []
    tools = offered([tool for place, item in enumerate(listed) for tool in _tools(item, f"tools[{place}]")], "tools")
    choice, allowed = _choice(body, tools)
    config = config_of(body)
    kind = maybe(as_text, config, "responseMimeType", CONFIG) or "text/plain"
    if kind not in ("text/plain", "application/json", "text/x.enum"):
        raise invalid(f"{CONFIG}.responseMimeType", "text/plain, application/json or text/x.enum")
    schemas = [maybe(as_object, config, key, CONFIG) for key in ("responseJsonSchema", "responseSchema")]
    return Prompt(
        turns=tuple(turns),
        tools=tools,
        choice=choice,
        allowed=allowed,
        max_tokens=maybe(as_count, config, "maxOutputTokens", CONFIG),
        stop=maybe(as_stops, config, "stopSequences", CONFIG) or (),
        json=kind != "text/plain",
        bare=kind == "text/x.enum",
        schema=schemas[0] or schemas[1],
        thinks=_effort(config),
        refuses=manner(model).refuses,
    )


def config_of(body: JsonObject) -> JsonObject:
    """Returns the generation config, its member names in camelCase. Raises `Fault`."""
    return camel(maybe(as_object, body, CONFIG) or {})


def thinking_of(config: JsonObject) -> JsonObject:
    """Returns the thinking config, its member names in camelCase. Raises `Fault`."""
    return camel(maybe(as_object, config, "thinkingConfig", CONFIG) or {})


def texts_of(content: JsonObject, where: str) -> list[str]:
    """Returns the texts in a content's parts. Raises `Fault`."""
    parts = must(as_filled_array, content, "parts", where)
    objects = [as_object(item, f"{where}.parts[{place}]") for place, item in enumerate(parts)]
    texts = [maybe(as_text, part, "text", f"{where}.parts[{place}]") for place, part in enumerate(objects)]
    return [text for text in texts if text]


def _effort(config: JsonObject) -> int:
    thinking, where = thinking_of(config), f"{CONFIG}.thinkingConfig"
    if not thinking or maybe(as_integer, thinking, "thinkingBudget", where) == 0:
        return 0
    level = (maybe(as_text, thinking, "thinkingLevel", where) or "MEDIUM").upper()
    return _LEVELS.get(level, 2)


def _turns(content: JsonObject, where: str) -> list[Turn]:
    role = maybe(as_text, content, "role", where) or "user"
    if role not in _ROLES:
        raise invalid(path(where, "role"), "user or model")
    turns = []
    for place, item in enumerate(must(as_filled_array, content, "parts", where)):
        at = f"{where}.parts[{place}]"
        part = camel(as_object(item, at))
        if (text := maybe(as_text, part, "text", at)) is not None and not part.get("thought"):
            turns.append(Turn(_ROLES[role], text))
        if (call := maybe(as_object, part, "functionCall", at)) is not None:
            turns.append(Turn("assistant", must(as_name, call, "name", f"{at}.functionCall")))
            turns.append(Turn("assistant", as_json(maybe(as_object, call, "args", f"{at}.functionCall") or {})))
        if (result := maybe(as_object, part, "functionResponse", at)) is not None:
            must(as_name, result, "name", f"{at}.functionResponse")
            turns.append(Turn("tool", as_json(maybe(as_object, result, "response", f"{at}.functionResponse") or {})))
    return turns


def _tools(value: Any, where: str) -> list[Tool]:
    tool = camel(as_object(value, where))
    # Whatever else stands in a tool is run by Google, and not here.
    hosted = [Tool(kind[:64], "", None, hosted=True) for kind in tool if kind != "functionDeclarations"]
    declared = maybe(as_array, tool, "functionDeclarations", where) or []
    return [_declared(item, f"{where}.functionDeclarations[{place}]") for place, item in enumerate(declared)] + hosted


def _declared(value: Any, where: str) -> Tool:
    function = camel(as_object(value, where))
    schemas = [maybe(as_object, function, key, where) for key in ("parametersJsonSchema", "parameters")]
    described = maybe(as_text, function, "description", where) or ""
    return Tool(must(as_name, function, "name", where), described, schemas[0] or schemas[1] or {})


def _choice(body: JsonObject, tools: tuple[Tool, ...]) -> tuple[Choice, tuple[str, ...]]:
    config = camel(maybe(as_object, body, "toolConfig") or {})
    where = "toolConfig.functionCallingConfig"
    calling = camel(maybe(as_object, config, "functionCallingConfig", "toolConfig") or {})
    names = maybe(as_array, calling, "allowedFunctionNames", where) or []
    names = [as_name(name, f"{where}.allowedFunctionNames[{place}]") for place, name in enumerate(names)]
    match (maybe(as_text, calling, "mode", where) or "AUTO").upper():
        case "ANY":
            return "required", forced(tools, names, f"{where}.allowedFunctionNames" if names else where)
        case "NONE":
            return "none", ()
        case "AUTO" | "VALIDATED" | "MODE_UNSPECIFIED":
            return "auto", tuple(names)
        case _:
            raise invalid(f"{where}.mode", "AUTO, ANY, NONE or VALIDATED")
