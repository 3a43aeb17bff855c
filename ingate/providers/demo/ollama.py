"""Ollama's chat, generate and embedding calls, answered. Knows those formats and the demo model; no HTTP.

Durations are left out, as Ollama itself leaves out those that are zero.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from ingate.providers.demo import vectors
from ingate.providers.demo.answers import Answer, Stamp, deltas, json_lines, whole
from ingate.providers.demo.calling import Tool
from ingate.providers.demo.fields import (
    JsonObject,
    as_array,
    as_filled_array,
    as_flag,
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
from ingate.providers.demo.model import Prompt, Reply, Role, Turn, answer, as_json
from ingate.providers.demo.names import manner
from ingate.providers.demo.openai_embeddings import as_dimensions, budget
from ingate.providers.demo.tooling import offered

VERSION = "0.12.0"
"""The version of Ollama whose answers these are."""

_ROLES: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant", "tool": "tool"}

Wrap = Callable[[str, str, list[JsonObject]], JsonObject]
"""Makes the members that carry text, thoughts and calls."""

_EFFORTS = {"low": 1, "medium": 2, "high": 3}


def chat(body: JsonObject, model: str, stamp: Stamp) -> Answer:
    """Answers POST /api/chat, streamed unless `stream` is false. Raises `Fault`."""
    turns: list[Turn] = []
    for place, item in enumerate(must(as_filled_array, body, "messages")):
        turns += _turns(item, f"messages[{place}]")
    listed = maybe(as_array, body, "tools") or []
    tools = offered([_tool(item, f"tools[{place}]") for place, item in enumerate(listed)], "tools")
    return _answer(body, model, Prompt(tuple(turns), tools), stamp, _as_message)


def generate(body: JsonObject, model: str, stamp: Stamp) -> Answer:
    """Answers POST /api/generate, streamed unless `stream` is false. Raises `Fault`."""
    told = maybe(as_text, body, "system")
    turns = [Turn("system", told)] if told else []
    turns.append(Turn("user", must(as_text, body, "prompt")))
    return _answer(body, model, Prompt(tuple(turns)), stamp, _as_response)


def embed(body: JsonObject, model: str, _: Stamp) -> Answer:
    """Answers POST /api/embed: a vector per input. Raises `Fault`."""
    given = must(lambda value, _: value, body, "input")
    listed = [given] if isinstance(given, str) else as_filled_array(given, "input")
    texts = [as_text(item, f"input[{place}]") for place, item in enumerate(listed)]
    size = maybe(as_dimensions, body, "dimensions") or vectors.DEFAULT_DIMENSIONS
    total = budget(texts, size, "input")
    found = [vectors.embed(text, size) for text in texts]
    return whole({"model": model, "embeddings": found, "prompt_eval_count": total})


def embeddings(body: JsonObject, _model: str, _: Stamp) -> Answer:
    """Answers POST /api/embeddings, the older call for one vector. Raises `Fault`."""
    text = must(as_text, body, "prompt")
    budget([text], vectors.DEFAULT_DIMENSIONS, "prompt")
    return whole({"embedding": vectors.embed(text, vectors.DEFAULT_DIMENSIONS)})


def _as_message(text: str, thought: str, calls: list[JsonObject]) -> JsonObject:
    message: JsonObject = {"role": "assistant", "content": text}
    if thought:
        message["thinking"] = thought
    return {"message": message | ({"tool_calls": calls} if calls else {})}


def _as_response(text: str, thought: str, _: list[JsonObject]) -> JsonObject:
    return {"response": text} | ({"thinking": thought} if thought else {})


def _answer(body: JsonObject, model: str, prompt: Prompt, stamp: Stamp, wrap: Wrap) -> Answer:
    options = maybe(as_object, body, "options") or {}
    most = maybe(as_integer, options, "num_predict", "options") or 0
    form = body.get("format") or None
    if form is not None and form != "json" and not isinstance(form, dict):
        raise invalid("format", "json or a JSON Schema")
    reply = answer(
        replace(
            prompt,
            max_tokens=most if most > 0 else None,
            stop=maybe(as_stops, options, "stop", "options") or (),
            json=form is not None,
            schema=form if isinstance(form, dict) else None,
            thinks=maybe(_as_effort, body, "think") or 0,
            refuses=manner(model).refuses,
        )
    )
    head = {"model": model, "created_at": _time(stamp)}
    if maybe(as_flag, body, "stream") is False:
        return whole(head | wrap(reply.text, reply.thought, _calls(reply)) | _end(reply))
    return json_lines(_lines(reply, head, wrap))


def _as_effort(value: Any, field: str) -> int:
    if isinstance(value, bool):
        return 2 if value else 0
    if isinstance(value, str) and value in _EFFORTS:
        return _EFFORTS[value]
    raise invalid(field, "a boolean, low, medium or high")


def _lines(reply: Reply, head: JsonObject, wrap: Wrap) -> Iterator[JsonObject]:
    for piece in deltas(reply.thoughts):
        yield head | wrap("", piece, []) | {"done": False}
    for piece in deltas(reply.pieces):
        yield head | wrap(piece, "", []) | {"done": False}
    if reply.calls:
        yield head | wrap("", "", _calls(reply)) | {"done": False}
    yield head | wrap("", "", []) | _end(reply)


def _end(reply: Reply) -> JsonObject:
    reason = "length" if reply.finish == "length" else "stop"
    counts = {"prompt_eval_count": reply.input.total, "eval_count": reply.output_tokens}
    return {"done": True, "done_reason": reason} | counts


def _calls(reply: Reply) -> list[JsonObject]:
    return [
        {"function": {"index": place, "name": call.name, "arguments": call.arguments}}
        for place, call in enumerate(reply.calls)
    ]


def _time(stamp: Stamp) -> str:
    return datetime.fromtimestamp(stamp.created, UTC).isoformat().replace("+00:00", "Z")


def _turns(value: Any, where: str) -> list[Turn]:
    message = as_object(value, where)
    role = must(as_text, message, "role", where)
    if role not in _ROLES:
        raise invalid(path(where, "role"), "one of " + ", ".join(_ROLES))
    turns = [Turn(_ROLES[role], maybe(as_text, message, "content", where) or "")]
    for place, item in enumerate(maybe(as_array, message, "tool_calls", where) or []):
        at = f"{where}.tool_calls[{place}]"
        function = must(as_object, as_object(item, at), "function", at)
        turns.append(Turn("assistant", must(as_name, function, "name", f"{at}.function")))
        turns.append(Turn("assistant", as_json(maybe(as_object, function, "arguments", f"{at}.function") or {})))
    return turns


def _tool(value: Any, where: str) -> Tool:
    function = must(as_object, as_object(value, where), "function", where)
    where += ".function"
    described = maybe(as_text, function, "description", where) or ""
    return Tool(
        must(as_name, function, "name", where), described, maybe(as_object, function, "parameters", where) or {}
    )
