"""Messages of `ingate.chat.v1` as the messages of OpenAI Chat Completions. Knows nothing else of a request."""

from binascii import b2a_base64
from collections.abc import Mapping
from typing import Any

from msgspec import Raw

from gen.ingate.chat.v1 import message_pb2 as pb
from ingate.errors import BadRequest
from ingate.formats.pace import Steps

_GROUP = 96 * 1024
"""Bytes that are put into base64 in one piece; a multiple of three, so that the pieces can be joined."""
_ROLES = {
    pb.ROLE_SYSTEM: "system",
    pb.ROLE_USER: "user",
    pb.ROLE_ASSISTANT: "assistant",
    pb.ROLE_TOOL: "tool",
}
_ALLOWED: Mapping[int, frozenset[str]] = {
    pb.ROLE_SYSTEM: frozenset({"text"}),
    pb.ROLE_USER: frozenset({"text", "image", "audio", "document"}),
    pb.ROLE_ASSISTANT: frozenset({"text", "refusal", "tool_call"}),
    pb.ROLE_TOOL: frozenset({"tool_result"}),
}
_DETAILS = {pb.IMAGE_DETAIL_LOW: "low", pb.IMAGE_DETAIL_HIGH: "high"}
_FORMATS = {pb.AUDIO_FORMAT_WAV: "wav", pb.AUDIO_FORMAT_MP3: "mp3"}


def writing_message(message: pb.Message, path: str) -> Steps[list[dict[str, Any]]]:
    """Returns a message as it goes to the provider: one for each result where it is of tools, else a single one.

    Raises BadRequest, which names fields below `path`.
    """
    role = message.role
    for index, part in enumerate(message.parts):
        kind = part.WhichOneof("content")
        if kind not in _ALLOWED[role]:
            problem = f"cannot be {kind} in a message of {pb.Role.Name(role)}"
            raise BadRequest.field(f"{path}.parts[{index}]", problem)
    if not message.parts and role != pb.ROLE_ASSISTANT:
        raise BadRequest.field(f"{path}.parts", "is required")
    if role == pb.ROLE_TOOL:
        if message.name:
            raise BadRequest.field(f"{path}.name", "is not allowed in a message of ROLE_TOOL")
        return [_result(part.tool_result) for part in message.parts]
    written: dict[str, Any] = {"role": _ROLES[role]}
    if message.name:
        written["name"] = message.name
    if role == pb.ROLE_ASSISTANT:
        return [written | _said(message)]
    if len(message.parts) == 1 and message.parts[0].HasField("text"):
        written["content"] = message.parts[0].text
        return [written]
    content = []
    for index, part in enumerate(message.parts):
        content.append((yield from _writing_part(part, f"{path}.parts[{index}]")))
    written["content"] = content
    return [written]


def _said(message: pb.Message) -> dict[str, Any]:
    """Returns what the model said. Its text is a string where it can be, for not every provider takes parts here."""
    texts = [part.text for part in message.parts if part.HasField("text")]
    refusal = "".join(part.refusal for part in message.parts if part.HasField("refusal"))
    calls = [_call(part.tool_call) for part in message.parts if part.HasField("tool_call")]
    said: dict[str, Any] = {}
    if len(texts) > 1:
        said["content"] = [{"type": "text", "text": text} for text in texts]
    elif texts:
        said["content"] = texts[0]
    else:
        said["content"] = None if refusal or calls else ""
    if refusal:
        said["refusal"] = refusal
    if calls:
        said["tool_calls"] = calls
    return said


def _call(call: pb.ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _result(result: pb.ToolResult) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": result.tool_call_id, "content": result.content}


def _writing_part(part: pb.Part, path: str) -> Steps[dict[str, Any]]:
    match part.WhichOneof("content"):
        case "image":
            return {"type": "image_url", "image_url": (yield from _writing_image(part.image, f"{path}.image"))}
        case "audio":
            data = yield from _writing_text("", part.audio.data)
            return {"type": "input_audio", "input_audio": {"data": data, "format": _FORMATS[part.audio.format]}}
        case "document":
            document = part.document
            file: dict[str, Any] = {"filename": document.filename} if document.filename else {}
            file["file_data"] = yield from _writing_text(f"data:{document.media_type};base64,", document.data)
            return {"type": "file", "file": file}
        case _:
            return {"type": "text", "text": part.text}


def _writing_image(image: pb.Image, path: str) -> Steps[dict[str, Any]]:
    written: dict[str, Any] = {"url": image.url}
    if image.HasField("data"):
        if not image.media_type:
            raise BadRequest.field(f"{path}.media_type", "is required with data")
        written["url"] = yield from _writing_text(f"data:{image.media_type};base64,", image.data)
    if image.detail:
        written["detail"] = _DETAILS[image.detail]
    return written


def _writing_text(prefix: str, data: bytes) -> Steps[Raw]:
    """Returns bytes in base64 as JSON text, in which nothing needs an escape."""
    pieces = [b'"', prefix.encode()]
    for start in range(0, len(data), _GROUP):
        pieces.append(b2a_base64(data[start : start + _GROUP], newline=False))
        yield
    pieces.append(b'"')
    return Raw(b"".join(pieces))
