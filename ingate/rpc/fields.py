"""How many fields the bytes of a message hold, counted before it is parsed.

A parsed field takes up to thirty times its bytes: one MiB of empty strings becomes sixteen, and takes long to make.
Knows the wire format and descriptors; not what messages mean.
"""

from collections.abc import Mapping
from functools import cache

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError

MAX_FIELDS = 4096
"""Fields of one message, those of messages inside it included: several times what the rules of most rpcs allow."""
LARGE_FIELDS = 16_384
"""Fields of a message that may be larger than most: a conversation has five or so for each of its messages."""

_FEWEST_BYTES = 2
_DEEPEST = 100
"""Messages inside messages that the parser accepts."""

_VARINT, _BYTES = 0, 2
_SIZES = {1: 8, 3: 0, 4: 0, 5: 4}
"""Bytes of what has a fixed size. A group has none: its fields count where they stand."""
_LONGEST_VARINT = 10


class _TooMany(Exception):
    """Carries the number of the outermost field in which the bound was passed."""

    def __init__(self, number: int) -> None:
        self.number = number


def crowded(descriptor: Descriptor, raw: bytes, most: int = MAX_FIELDS) -> str | None:
    """Returns the name of the field with which a message has more than `most`, None where it has not.

    Reads no further than the bound. Raises DecodeError for bytes that are no message, as far as it reads.
    """
    if len(raw) <= most * _FEWEST_BYTES:
        return None
    try:
        _count(descriptor, raw, 0, len(raw), most, _DEEPEST)
    except _TooMany as found:
        field = descriptor.fields_by_number.get(found.number)
        return field.name if field is not None else f"field {found.number}"
    return None


@cache
def _messages(descriptor: Descriptor) -> Mapping[int, Descriptor]:
    """Returns the types of the fields that are messages, by number."""
    return {field.number: field.message_type for field in descriptor.fields if field.message_type is not None}


def _count(descriptor: Descriptor, raw: bytes, at: int, end: int, left: int, deep: int) -> int:  # noqa: PLR0917 -- a cursor
    """Returns how many of `left` fields are not used up between two places of `raw`."""
    if not deep:
        raise DecodeError("messages are nested too deeply")
    inside = _messages(descriptor)
    while at < end:
        tag, at = _varint(raw, at)
        left -= 1
        if left < 0:
            raise _TooMany(tag >> 3)
        if tag & 7 != _BYTES:
            at = _past(tag & 7, raw, at)
            continue
        size, start = _varint(raw, at)
        at = start + size
        part = inside.get(tag >> 3)
        if part is not None and at <= end:
            try:
                left = _count(part, raw, start, at, left, deep - 1)
            except _TooMany:
                raise _TooMany(tag >> 3) from None
    if at != end:
        raise DecodeError("the message is truncated")
    return left


def _past(kind: int, raw: bytes, at: int) -> int:
    """Returns the place behind a value that is no text, bytes or message."""
    if kind == _VARINT:
        return _varint(raw, at)[1]
    if kind in _SIZES:
        return at + _SIZES[kind]
    raise DecodeError("there is no such wire type")


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """Returns a number and the place behind it."""
    value = 0
    for index, byte in enumerate(raw[at : at + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    raise DecodeError("a number does not end")
