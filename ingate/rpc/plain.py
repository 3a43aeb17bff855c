"""What no field of a request may hold, whatever its proto states.

That is NUL in text, numbers that are not finite, and times that no calendar has. Compiled once per message type.
"""

import math
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from ingate.errors import OUT_OF_RANGE, Problem

MAX_PROBLEMS = 16
NO_TIME = "is out of range"
"""What a time is told that no calendar has."""

Problems = dict[str, str]
"""What is wrong, by the path of the field."""
Check = Callable[[Any, str, Problems], None]
"""Takes a value, its path and the problems found so far, to which it adds."""

_SECONDS = {
    # The years 1 to 9999, and what google.protobuf.Duration may span: about 10,000 years.
    "google.protobuf.Timestamp": (-62_135_596_800, 253_402_300_799, 0),
    "google.protobuf.Duration": (-315_576_000_000, 315_576_000_000, -999_999_999),
}
_PLAIN_KEY = re.compile(r"[\w.-]{1,64}", re.ASCII)
_FLOATS = {FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE}


def problems(message: Message, *, deep: bool = True) -> Problems:
    """Returns what is wrong with a message; empty when nothing is, about MAX_PROBLEMS at most.

    Without `deep`, messages inside it are taken as they are.
    """
    found: Problems = {}
    _check(_checks(message.DESCRIPTOR, deep=deep), message, "", found)
    return found


def place(key: object) -> str:
    """Returns how a path names an item of a list or a map. Keys are callers' words, and only plain ones repeated."""
    return f"[{key}]" if _PLAIN_KEY.fullmatch(str(key)) else "[…]"


def _check(checks: Mapping[int, Check], message: Message, prefix: str, found: Problems) -> None:
    for field, value in message.ListFields():
        check = checks.get(field.number)
        if check is not None:
            check(value, prefix + field.name, found)
        if len(found) >= MAX_PROBLEMS:
            return


@cache
def _checks(descriptor: Descriptor, *, deep: bool = True) -> Mapping[int, Check]:
    """Returns the checks of a message type by field number."""
    fields = (field for field in descriptor.fields if deep or field.message_type is None)
    made = ((field.number, _of_field(field)) for field in fields)
    return {number: check for number, check in made if check is not None}


def _of_field(field: FieldDescriptor) -> Check | None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        key, value = map(_of_value, field.message_type.fields)
        return _of_map(key, value) if key or value else None
    item = _of_value(field)
    return _of_list(item) if field.is_repeated and item is not None else item


def _of_value(field: FieldDescriptor) -> Check | None:
    if field.type == FieldDescriptor.TYPE_STRING:
        return _text
    if field.cpp_type in _FLOATS:
        return _number
    return None if field.message_type is None else _of_message(field.message_type)


def _text(value: str, path: str, found: Problems) -> None:
    if "\0" in value:
        found[path] = Problem("must not contain NUL", "BAD_FORMAT")


def _number(value: float, path: str, found: Problems) -> None:
    if not math.isfinite(value):
        found[path] = Problem("must be a finite number", OUT_OF_RANGE)


def _of_message(descriptor: Descriptor) -> Check:
    if descriptor.full_name in _SECONDS:
        first, last, least_nanos = _SECONDS[descriptor.full_name]

        def check_time(value: Any, path: str, found: Problems) -> None:
            if not (first <= value.seconds <= last and least_nanos <= value.nanos <= 999_999_999):
                found[path] = Problem(NO_TIME, OUT_OF_RANGE)

        return check_time

    def check(value: Message, path: str, found: Problems) -> None:
        # Compiled at first use rather than now, since a message may contain its own kind.
        _check(_checks(descriptor), value, f"{path}.", found)

    return check


def _of_list(item: Check) -> Check:
    def check(values: Any, path: str, found: Problems) -> None:
        for index, value in enumerate(values):
            item(value, f"{path}[{index}]", found)
            if len(found) >= MAX_PROBLEMS:
                return

    return check


def _of_map(key_check: Check | None, value_check: Check | None) -> Check:
    def check(values: Any, path: str, found: Problems) -> None:
        for key in values:
            if key_check is not None:
                key_check(key, path + place(key), found)
            if value_check is not None:
                value_check(values[key], path + place(key), found)
            if len(found) >= MAX_PROBLEMS:
                return

    return check
