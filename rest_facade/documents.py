"""JSON documents, taken apart one level at a time with the text of every part kept. Knows no fields and no messages.

A body goes through `body_members` first, which checks all of it: UTF-8, bulk, syntax, depth. Later calls only split.
Objects that have a member twice are refused, for readers differ in which of the two they take. A body of a megabyte
takes a few milliseconds, whatever its sender made of it.
"""

import json
from collections.abc import Iterable, Sized
from typing import Any

import msgspec
from msgspec import Raw

from ingate.errors import BadRequest

MAX_DEPTH = 64
MAX_PARTS = 4096
"""Members and items of one body: the longest lists have a thousand."""
MAX_ESCAPES = 16 * 1024

SHOWN = 100
"""Characters of a member's name that an error repeats."""

Members = Iterable[tuple[str, Raw]]

_object = msgspec.json.Decoder(dict[str, Raw])
_array = msgspec.json.Decoder(list[Raw])
_anything = msgspec.json.Decoder()
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_NO_PARTS = bytes(set(range(256)) - set(b",:[{"))
_pairs = json.JSONDecoder(object_pairs_hook=list, parse_int=str, parse_float=str)
_TOO_BULKY = f"the body has more than {MAX_PARTS} members and items"
_TOO_DEEP = f"the body is nested deeper than {MAX_DEPTH} levels"


def body_members(body: bytes) -> Members:
    """Returns the members of a body that is one JSON object, or raises `BadRequest` saying where it is broken."""
    try:
        body.isascii() or body.decode()
        _refuse_bulk(body)
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
    _refuse_repeated(body, found, "")
    return found.items()


def members(text: bytes, path: str, most: int = MAX_PARTS) -> Members:
    """Returns the members of an object at a path, none for null, or raises `BadRequest`: other values, too many."""
    if text == b"null":
        return ()
    try:
        found = _object.decode(text)
    except msgspec.ValidationError:
        raise BadRequest.field(path, "must be an object", "WRONG_TYPE") from None
    _refuse_many(found, path, most)
    _refuse_repeated(text, found, f"{path}.")
    return found.items()


def items(text: bytes, path: str, most: int) -> Iterable[Raw]:
    """Returns the items of a list at a path, none for null, or raises `BadRequest`: other values, too many."""
    if text == b"null":
        return ()
    try:
        found = _array.decode(text)
    except msgspec.ValidationError:
        raise BadRequest.field(path, "must be a list", "WRONG_TYPE") from None
    _refuse_many(found, path, most)
    return found


def value(text: bytes, path: str) -> Any:
    """Returns the value of checked text, or raises `BadRequest` for numbers that nothing can hold."""
    try:
        return _anything.decode(text)
    except msgspec.ValidationError:
        raise BadRequest.field(path, "is out of range", "OUT_OF_RANGE") from None


def _refuse_many(found: Sized, path: str, most: int) -> None:
    if len(found) > most:
        raise BadRequest.field(path, f"must have at most {most} items", "TOO_MANY")


def _refuse_bulk(body: bytes) -> None:
    if len(body) <= MAX_PARTS:
        return
    if body.count(b"\\") > MAX_ESCAPES:
        raise BadRequest(f"the body has more than {MAX_ESCAPES} escapes")
    # First with what is in strings, which costs less and is mostly enough.
    if len(body.translate(None, _NO_PARTS)) > MAX_PARTS and len(_outside(body).translate(None, _NO_PARTS)) > MAX_PARTS:
        raise BadRequest(_TOO_BULKY)


def _outside(text: bytes) -> bytes:
    """Returns what is outside of the strings of a JSON text."""
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    if text.count(b'"') > 2 * MAX_PARTS:
        raise BadRequest(_TOO_BULKY)
    return b"".join(text.split(b'"')[::2])


def _refuse_repeated(text: bytes, found: dict[str, Raw], at: str) -> None:
    # Each member has a colon of its own, so if there are as many as members, in strings and all, none is repeated.
    if text.count(b":") == len(found):
        return
    inner = sum(_outside(part).count(b":") for raw in found.values() if (part := bytes(raw))[0] in b"[{")
    if _outside(text).count(b":") == inner + len(found):
        return
    seen: set[str] = set()
    for name, _ in _pairs.decode(text.decode()):
        if name in seen:
            raise BadRequest.field(f"{at}{name[:SHOWN]}", "must be given once", "REPEATED")
        seen.add(name)


def _refuse_depth(body: bytes) -> None:
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _outside(body).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise BadRequest(_TOO_DEEP)
