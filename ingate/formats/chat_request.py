"""A `Chat` of `ingate.chat.v1` as the body of an OpenAI chat completion. Knows no provider and no header."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

from gen.ingate.chat.v1 import chat_pb2 as pb
from ingate.errors import BadRequest
from ingate.formats.chat_messages import writing_message
from ingate.formats.nesting import deeper_than
from ingate.formats.pace import Steps
from ingate.formats.scan import MAX_DEPTH
from ingate.formats.shape import BROKEN

MAX_COMPLETION_TOKENS = "max_completion_tokens"
"""How OpenAI and Azure name the most tokens of an answer; their newer models take no other name."""
MAX_TOKENS = "max_tokens"
"""How all others do. Some of them ignore the other name, and with it the bound."""

_SCHEMA_DEPTH = MAX_DEPTH - 4
"""Levels of a schema, which stands four levels deep in the body."""
_EFFORTS = {
    number: name.removeprefix("REASONING_EFFORT_").lower() for name, number in pb.ReasoningEffort.items() if number
}
_MODES = {number: name.removeprefix("TOOL_MODE_").lower() for name, number in pb.ToolMode.items() if number}
_OBJECT = msgspec.json.Decoder(dict[str, Raw])


def writing_body(chat: pb.Chat, *, stream: bool, usage: bool, limit: str) -> Steps[bytes]:
    """Returns the body in bounded pieces of work. Raises BadRequest, which names fields below `chat`.

    `usage` asks for the usage of a stream. `limit` is how the provider names the most tokens of an answer.
    """
    messages: list[dict[str, Any]] = []
    for index, message in enumerate(chat.messages):
        messages += yield from writing_message(message, f"chat.messages[{index}]")
        yield
    body: dict[str, Any] = {"model": chat.model, "messages": messages}
    body.update(_tools(chat))
    if chat.HasField("output_schema"):
        body["response_format"] = {"type": "json_schema", "json_schema": _output(chat.output_schema)}
    body.update(_sampling(chat.sampling, limit))
    if chat.reasoning_effort:
        body["reasoning_effort"] = _EFFORTS[chat.reasoning_effort]
    if chat.user:
        body["user"] = chat.user
    if chat.metadata:
        body["metadata"] = dict(chat.metadata)
    if stream:
        body["stream"] = True
        if usage:
            body["stream_options"] = {"include_usage": True}
    return msgspec.json.encode(body)


def _tools(chat: pb.Chat) -> Iterator[tuple[str, Any]]:
    """Yields the members that have to do with tools."""
    names: set[str] = set()
    for index, tool in enumerate(chat.tools):
        if tool.name in names:
            raise BadRequest.field(f"chat.tools[{index}].name", "is the name of another tool")
        names.add(tool.name)
    if names:
        yield "tools", [_tool(tool, f"chat.tools[{index}]") for index, tool in enumerate(chat.tools)]
    if chat.HasField("tool_choice"):
        if not names:
            raise BadRequest.field("chat.tool_choice", "is allowed beside tools alone")
        yield "tool_choice", _choice(chat.tool_choice, names)
    if chat.HasField("parallel_tool_calls"):
        if not names:
            raise BadRequest.field("chat.parallel_tool_calls", "is allowed beside tools alone")
        yield "parallel_tool_calls", chat.parallel_tool_calls


def _tool(tool: pb.Tool, path: str) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters:
        function["parameters"] = _schema(tool.parameters, f"{path}.parameters")
    if tool.HasField("strict"):
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _choice(choice: pb.ToolChoice, names: set[str]) -> Any:
    if choice.HasField("mode"):
        return _MODES[choice.mode]
    if choice.tool not in names:
        raise BadRequest.field("chat.tool_choice.tool", "is none of the tools")
    return {"type": "function", "function": {"name": choice.tool}}


def _output(output: pb.OutputSchema) -> dict[str, Any]:
    written: dict[str, Any] = {"name": output.name, "schema": _schema(output.schema, "chat.output_schema.schema")}
    if output.description:
        written["description"] = output.description
    if output.HasField("strict"):
        written["strict"] = output.strict
    return written


def _sampling(sampling: pb.Sampling, limit: str) -> Iterator[tuple[str, Any]]:
    for field, value in sampling.ListFields():
        if field.name == "max_tokens":
            yield limit, value
        else:
            yield field.name, list(value) if field.name == "stop" else value


def _schema(document: bytes, path: str) -> Raw:
    """Returns a JSON Schema as it was written. Raises BadRequest unless it is a JSON object of a sane depth."""
    try:
        document.decode()
        _OBJECT.decode(document)
    except BROKEN:
        raise BadRequest.field(path, "must be a JSON object") from None
    if deeper_than(document, _SCHEMA_DEPTH):
        raise BadRequest.field(path, f"nests deeper than {_SCHEMA_DEPTH} levels")
    return Raw(document)
