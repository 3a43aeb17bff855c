"""Gemini generateContent, streamGenerateContent and countTokens, answered. Knows that format and the demo model."""

from collections.abc import Iterator
from typing import Any

import msgspec

from ingate.providers.demo import answers
from ingate.providers.demo.answers import Answer, Stamp
from ingate.providers.demo.fields import (
    JsonObject,
    as_array,
    as_count,
    as_filled_array,
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
from ingate.providers.demo.gemini_names import camel
from ingate.providers.demo.model import Choice, Prompt, Reply, Role, Tool, Turn, answer, as_json, read
from ingate.providers.demo.tooling import forced, offered

_ROLES: dict[str, Role] = {"user": "user", "model": "assistant", "function": "tool"}


def generate(body: JsonObject, model: str, stamp: Stamp) -> Answer:
    """Answers `:generateContent`. Raises `Fault`."""
    reply = answer(_prompt(camel(body)))
    return answers.whole(_chunk(_parts(reply), reply, reply.output_tokens, model, stamp, last=True))


def stream(body: JsonObject, model: str, stamp: Stamp, *, as_events: bool) -> Answer:
    """Answers `:streamGenerateContent`, as server-sent events or as one growing JSON array. Raises `Fault`."""
    chunks = _chunks(answer(_prompt(camel(body))), model, stamp)
    if as_events:
        return answers.event_stream(map(answers.data, chunks))
    pieces = [(b"[" if place == 0 else b",\r\n") + msgspec.json.encode(chunk) for place, chunk in enumerate(chunks)]
    return Answer(200, answers.JSON, (*pieces, b"]"))


def count_tokens(body: JsonObject, _model: str, _stamp: Stamp) -> Answer:
    """Answers `:countTokens`. Raises `Fault`."""
    given = camel(body)
    asked = maybe(as_object, given, "generateContentRequest")
    total = read(_prompt(given if asked is None else camel(asked)))
    return answers.whole({"totalTokens": total, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": total}]})


def texts_of(content: JsonObject, where: str) -> list[str]:
    """Returns the texts in a content's parts. Raises `Fault`."""
    parts = must(as_filled_array, content, "parts", where)
    objects = [as_object(item, f"{where}.parts[{place}]") for place, item in enumerate(parts)]
    texts = [maybe(as_text, part, "text", f"{where}.parts[{place}]") for place, part in enumerate(objects)]
    return [text for text in texts if text]


def _prompt(body: JsonObject) -> Prompt:
    told = maybe(as_object, body, "systemInstruction")
    turns = [] if told is None else [Turn("system", text) for text in texts_of(told, "systemInstruction")]
    for place, item in enumerate(must(as_filled_array, body, "contents")):
        turns += _turns(as_object(item, f"contents[{place}]"), f"contents[{place}]")
    listed = maybe(as_array, body, "tools") or []
    tools = offered([tool for place, item in enumerate(listed) for tool in _tools(item, f"tools[{place}]")], "tools")
    choice, allowed = _choice(body, tools)
    config, where = camel(maybe(as_object, body, "generationConfig") or {}), "generationConfig"
    maybe(as_one, config, "candidateCount", where)
    kind = maybe(as_text, config, "responseMimeType", where) or "text/plain"
    if kind not in ("text/plain", "application/json"):
        raise invalid("generationConfig.responseMimeType", "text/plain or application/json")
    schemas = [maybe(as_object, config, key, where) for key in ("responseJsonSchema", "responseSchema")]
    most, stops = maybe(as_count, config, "maxOutputTokens", where), maybe(as_stops, config, "stopSequences", where)
    schema = schemas[0] or schemas[1]
    return Prompt(tuple(turns), tools, choice, allowed, most, stops or (), json=kind != "text/plain", schema=schema)


def _turns(content: JsonObject, where: str) -> list[Turn]:
    role = maybe(as_text, content, "role", where) or "user"
    if role not in _ROLES:
        raise invalid(path(where, "role"), "user or model")
    turns = []
    for place, item in enumerate(must(as_filled_array, content, "parts", where)):
        at = f"{where}.parts[{place}]"
        part = camel(as_object(item, at))
        if (text := maybe(as_text, part, "text", at)) is not None:
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
    if unread := sorted(key for key in tool if key != "functionDeclarations"):
        raise invalid(path(where, unread[0][:40]), "no such tool; the demo model has functionDeclarations only")
    declared = must(as_array, tool, "functionDeclarations", where)
    return [_declared(item, f"{where}.functionDeclarations[{place}]") for place, item in enumerate(declared)]


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


def _parts(reply: Reply) -> list[JsonObject]:
    if reply.call is not None:
        return [{"functionCall": {"name": reply.call.name, "args": reply.call.arguments}}]
    return [{"text": reply.text}] if reply.pieces else []


def _chunk(
    parts: list[JsonObject], reply: Reply, emitted: int, model: str, stamp: Stamp, *, last: bool = False
) -> JsonObject:
    candidate: JsonObject = {"content": {"role": "model", "parts": parts}, "index": 0}
    if last:
        candidate["finishReason"] = "MAX_TOKENS" if reply.finish == "length" else "STOP"
    used = {
        "promptTokenCount": reply.input_tokens,
        "candidatesTokenCount": emitted,
        "totalTokenCount": reply.input_tokens + emitted,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": reply.input_tokens}],
    }
    named = {"modelVersion": model, "responseId": stamp.digest[:24]}
    return {"candidates": [candidate], "usageMetadata": used} | named


def _chunks(reply: Reply, model: str, stamp: Stamp) -> Iterator[JsonObject]:
    if reply.call is not None or not reply.pieces:
        yield _chunk(_parts(reply), reply, reply.output_tokens, model, stamp, last=True)
        return
    pieces = answers.deltas(reply.pieces)
    for place, piece in enumerate(pieces):
        last = place == len(pieces) - 1
        # Counts grow with the stream, and the last one is exact.
        emitted = reply.output_tokens if last else (place + 1) * -(-len(reply.pieces) // len(pieces))
        yield _chunk([{"text": piece}], reply, emitted, model, stamp, last=last)
