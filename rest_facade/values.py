"""Single values of request fields: checks of JSON values, and the reading of text from paths and queries.

Knows field types; nothing of names, messages or documents.
"""

import base64
import binascii
import math
import re
import struct
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from gen.ingate.options.v1 import options_pb2
from ingate.errors import BadRequest
from rest_facade import timestamps
from rest_facade.message_json import NUMBER, TIMESTAMP
from rest_facade.style import enum_numbers, enum_words, form

Convert = Callable[[Any, str], Any]
"""JSON value and its path → what the message field takes. Raises `BadRequest` naming the path."""

_INTEGER = re.compile(r"-?[0-9]{1,20}")

RANGES = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SINT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SFIXED32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_FIXED32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SINT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SFIXED64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.TYPE_FIXED64: (0, 2**64 - 1),
}
"""The least and the most that a field of an integer type holds."""


def converter(field: FieldDescriptor) -> Convert | None:
    """Returns the check for one value of a field, None for messages and for forms that take any document."""
    if field.message_type is not None:
        return _timestamp if field.message_type.full_name == TIMESTAMP else None
    if field.enum_type is not None:
        return _enum(field.enum_type)
    if field.type in RANGES:
        return _integer(*RANGES[field.type])
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _bytes if form(field) == options_pb2.FORM_UNSPECIFIED else None
    if form(field) == options_pb2.FORM_DECIMAL:
        return _decimal
    return _SIMPLE[field.type]


def reader(field: FieldDescriptor) -> Callable[[str], Any] | None:
    """Returns the reading of text as the JSON value it stands for, None where text cannot say it.

    Text that does not fit stays text, for the converter to refuse.
    """
    if converter(field) is None:
        return None
    if field.type in RANGES:
        return lambda text: int(text) if _INTEGER.fullmatch(text) else text
    if field.type == FieldDescriptor.TYPE_BOOL:
        # A name alone, as in `?deep`, says yes.
        return lambda text: {"true": True, "false": False, "": True}.get(text, text)
    if field.type in {FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT}:
        return lambda text: float(text) if NUMBER.fullmatch(text) else text
    return lambda text: text


def _integer(low: int, high: int) -> Convert:
    def convert(value: Any, path: str) -> int:
        if type(value) is not int:
            raise BadRequest.field(path, "must be an integer", "WRONG_TYPE")
        if not low <= value <= high:
            raise BadRequest.field(path, f"must be between {low} and {high}", "OUT_OF_RANGE")
        return value

    return convert


def _enum(descriptor: EnumDescriptor) -> Convert:
    numbers = enum_numbers(descriptor)
    words = ", ".join(word for word in enum_words(descriptor).values() if word is not None)

    def convert(value: Any, path: str) -> int:
        number = numbers.get(value) if isinstance(value, str) else None
        if number is None:
            raise BadRequest.field(path, f"must be one of {words}", "UNKNOWN_VALUE")
        return number

    return convert


def _string(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise BadRequest.field(path, "must be a string", "WRONG_TYPE")
    if "\x00" in value:
        # Databases cannot hold it, and nothing readable contains it.
        raise BadRequest.field(path, "must not contain NUL", "BAD_FORMAT")
    return value


def _bool(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise BadRequest.field(path, "must be true or false", "WRONG_TYPE")
    return value


def _double(value: Any, path: str) -> float:
    if type(value) is not float and type(value) is not int:
        raise BadRequest.field(path, "must be a number", "WRONG_TYPE")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadRequest.field(path, "must be a finite number", "OUT_OF_RANGE")
    return number


def _float(value: Any, path: str) -> float:
    number = _double(value, path)
    try:
        struct.pack("f", number)
    except OverflowError:
        raise BadRequest.field(path, "must be a finite number", "OUT_OF_RANGE") from None
    return number


def _bytes(value: Any, path: str) -> bytes:
    try:
        return base64.b64decode(_string(value, path), validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest.field(path, "must be base64", "BAD_FORMAT") from None


def _timestamp(value: Any, path: str) -> Any:
    try:
        return timestamps.from_text(_string(value, path))
    except ValueError:
        raise BadRequest.field(path, "must be an RFC 3339 time such as 2026-04-01T10:30:00Z", "BAD_FORMAT") from None


def _decimal(value: Any, path: str) -> str:
    if not isinstance(value, str) or not NUMBER.fullmatch(value):
        raise BadRequest.field(path, "must be a number", "WRONG_TYPE")
    return value


_SIMPLE: dict[int, Convert] = {
    FieldDescriptor.TYPE_STRING: _string,
    FieldDescriptor.TYPE_BOOL: _bool,
    FieldDescriptor.TYPE_DOUBLE: _double,
    FieldDescriptor.TYPE_FLOAT: _float,
}
