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

# Seven bits a byte, lowest first; the top bit of each says whether more follow.
_LAST = [bytes([bits]) for bits in range(0x80)]
_MORE = [bytes([bits | 0x80]) for bits in range(0x80)]

double = Struct("<d").pack
"""Returns a number as a `double` field holds it."""


def tag(message: type[Message], field: str) -> bytes:
    """Returns what goes before the value of a field, as its message declares it. Raises KeyError."""
    declared = message.DESCRIPTOR.fields_by_name[field]
    return varint(declared.number << 3 | _WIRE_TYPES[declared.type])


def varint(number: int) -> bytes:
    """Returns a number that is not negative as integers, enumerations and sizes are written."""
    if number < 0x80:
        return _LAST[number]
    if number < 0x4000:
        return _MORE[number & 0x7F] + _LAST[number >> 7]
    return _MORE[number & 0x7F] + _MORE[number >> 7 & 0x7F] + varint(number >> 14)


def sized(tag: bytes, value: bytes) -> tuple[bytes, bytes, bytes]:
    """Returns a field of bytes, or of a message in wire form."""
    return tag, varint(len(value)), value


def text(tag: bytes, value: str) -> tuple[bytes, bytes, bytes]:
    """Returns a field of text; a lone surrogate, which no text on the wire may hold, becomes a question mark."""
    encoded = value.encode("utf-8", "replace")
    return tag, varint(len(encoded)), encoded
