"""Protobuf's wire form by hand, for messages that are made with every request: fields as bytes to be joined.

A message is its fields one after another, whichever way they were made. Knows no message of its own.
"""

from struct import Struct

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_VARINT, _FIXED64, _SIZED = 0, 1, 2
_WIRE_TYPES = {
    FieldDescriptor.TYPE_BOOL: _VARINT,
    FieldDescriptor.TYPE_ENUM: _VARINT,
    FieldDescriptor.TYPE_INT32: _VARINT,
    FieldDescriptor.TYPE_INT64: _VARINT,
    FieldDescriptor.TYPE_DOUBLE: _FIXED64,
    FieldDescriptor.TYPE_BYTES: _SIZED,
    FieldDescriptor.TYPE_MESSAGE: _SIZED,
    FieldDescriptor.TYPE_STRING: _SIZED,
}

_AT_HAND = 2048

double = Struct("<d").pack
"""Returns a number as a `double` field holds it."""


def tag(message: type[Message], field: str) -> bytes:
    """Returns what goes before the value of a field, as its message declares it. Raises KeyError."""
    declared = message.DESCRIPTOR.fields_by_name[field]
    return varint(declared.number << 3 | _WIRE_TYPES[declared.type])


def _varint(number: int) -> bytes:
    written = bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)  # seven bits a byte, lowest first; the top bit says that more follow
        number >>= 7
    written.append(number)
    return bytes(written)


class _Varints(dict[int, bytes]):
    """Small numbers as they are written; others are written when they are asked for, and not kept."""

    def __missing__(self, number: int) -> bytes:
        return _varint(number)


varint = _Varints((number, _varint(number)) for number in range(_AT_HAND)).__getitem__
"""Returns a number that is not negative as integers, enumerations and sizes are written.

A dozen are for each record, most of them small: looked up, they take a third of the time.
"""


def sized(tag: bytes, value: bytes) -> tuple[bytes, bytes, bytes]:
    """Returns a field of bytes, or of a message in wire form."""
    return tag, varint(len(value)), value


def text(tag: bytes, value: str) -> tuple[bytes, bytes, bytes]:
    """Returns a field of text; a lone surrogate, which no text on the wire may hold, becomes a question mark."""
    encoded = value.encode("utf-8", "replace")
    return tag, varint(len(encoded)), encoded
