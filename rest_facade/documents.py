"""JSON documents, taken apart one level at a time with the text of every part kept. Knows no fields and no messages.

A body goes through `body_members` first, which checks all of it: UTF-8, syntax, depth. Later calls only split.
"""

import re
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw

from ingate.errors import BadRequest

MAX_DEPTH = 64

Members = Iterable[tuple[str, Raw]]

_object = msgspec.json.Decoder(dict[str, Raw])
_array = msgspec.json.Decoder(list[Raw])
_anything = msgspec.json.Decoder()
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_TOO_DEEP = f"the body is nested deeper than {MAX_DEPTH} levels"


def body_members(body: bytes) -> Members:
    """Returns the members of a body that is one JSON object, or raises `BadRequest` saying where it is broken."""
    try:
        body.isascii() or body.decode()
        found = _object.decode(body)
    except UnicodeDecodeError as error:
        raise BadRequest(f"the body is not valid UTF-8 at byte {error.start}") from None
    except msgspec.ValidationError:
        raise BadRequest("the body must be a JSON object") from None
    except msgspec.DecodeError as error:
        problem = str(error).removeprefix("JSON is malformed: ")
        raise BadRequest(f"the body is not valid JSON: {problem}") from None
    except RecursionError:
        raise BadRequest(_TOO_DEEP) from None
    _refuse_depth(body)
    return found.items()


def members(text: bytes, path: str) -> Members:
    """Returns the members of an object at a path, none for null, or raises `BadRequest` for other values."""
    if text == b"null":
        return ()
    try:
        return _object.decode(text).items()
    except msgspec.ValidationError:
        raise BadRequest.field(path, "must be an object") from None


def items(text: bytes, path: str) -> Iterable[Raw]:
    """Returns the items of a list at a path, none for null, or raises `BadRequest` for other values."""
    if text == b"null":
        return ()
    try:
        return _array.decode(text)
    except msgspec.ValidationError:
        raise BadRequest.field(path, "must be a list") from None


def value(text: bytes, path: str) -> Any:
    """Returns the value of checked text, or raises `BadRequest` for numbers that nothing can hold."""
    try:
        return _anything.decode(text)
    except msgspec.ValidationError:
        raise BadRequest.field(path, "is out of range") from None


def _refuse_depth(body: bytes) -> None:
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _STRINGS.sub(b"", body).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise BadRequest(_TOO_DEEP)
