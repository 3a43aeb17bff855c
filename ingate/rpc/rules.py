"""What request messages must look like, compiled from their options once per message type.

Checks google.api.field_behavior REQUIRED and ingate.options.v1.rules, and, on every message, what nobody wants:
NUL in strings, enum numbers without a name, numbers that are not finite, times that no calendar has. A field
without presence that holds its zero is one that was not given. Knows nothing of rpcs and of who calls.

Problems name fields by path (`headers[3].name`) and never quote a value.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gen.ingate.options.v1 import options_pb2
from ingate.rpc import updates

MAX_PROBLEMS = 16

Problems = dict[str, str]
Check = Callable[[Any, str, Problems], None]
"""Takes a value, its path and the problems found so far, to which it adds."""
Whole = Callable[[Any], Problems]
"""Takes a message and returns what is wrong between its fields."""

_TIMESTAMP = "google.protobuf.Timestamp"
_SECONDS = {
    # The years 1 to 9999, and what google.protobuf.Duration may span: about 10,000 years.
    _TIMESTAMP: (-62_135_596_800, 253_402_300_799, 0),
    "google.protobuf.Duration": (-315_576_000_000, 315_576_000_000, -999_999_999),
}
# Its stub does not say what it extends.
_BEHAVIOUR: Any = field_behavior_pb2.field_behavior
_PLAIN_KEY = re.compile(r"[\w.-]{1,64}", re.ASCII)
_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_UINT64,
}
_FLOATS = {FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE}


@dataclass(frozen=True, slots=True)
class _Plan:
    """What one message type asks: fields that must be there, least lengths of lists, checks by field number, of all."""

    required: tuple[FieldDescriptor, ...]
    at_least: tuple[tuple[str, int], ...]
    checks: Mapping[int, Check]
    wholes: tuple[Whole, ...]


def problems(message: Message, *, deep: bool = True) -> Problems:
    """Returns what is wrong with a message, by field path; empty when nothing is, at most MAX_PROBLEMS.

    Without `deep`, messages inside it are taken as they are.
    """
    found: Problems = {}
    _check(compiled(message.DESCRIPTOR, deep=deep), message, "", found)
    return found


def _check(plan: _Plan, message: Message, prefix: str, found: Problems) -> None:
    for field in plan.required:
        if not (message.HasField(field.name) if field.has_presence else getattr(message, field.name)):
            found[prefix + field.name] = "is required"
    for name, least in plan.at_least:
        if len(getattr(message, name)) < least:
            found.setdefault(prefix + name, f"must have at least {least} items")
    for field, value in message.ListFields():
        check = plan.checks.get(field.number)
        if check is not None:
            check(value, prefix + field.name, found)
        if len(found) >= MAX_PROBLEMS:
            return
    for whole in plan.wholes:
        for name, problem in whole(message).items():
            found.setdefault(prefix + name, problem)


@cache
def compiled(descriptor: Descriptor, *, deep: bool = True) -> _Plan:
    """Returns the plan of a message type. Raises TypeError where an option makes no sense on its field."""
    required, at_least, checks = [], [], {}
    wholes: list[Whole] = [updates.problems] if updates.is_update(descriptor) else []
    updates.refusals(descriptor)
    for field in descriptor.fields:
        options = field.GetOptions()
        if field_behavior_pb2.REQUIRED in options.Extensions[_BEHAVIOUR]:
            _refuse_if(not _absence_shows(field), field, "REQUIRED needs `optional`, its zero is a value")
            required.append(field)
        rules = options.Extensions[options_pb2.rules]
        if field.is_repeated and rules.min_len:
            at_least.append((field.name, rules.min_len))
        if rules.not_after:
            wholes.append(_in_order(field, descriptor.fields_by_name.get(rules.not_after)))
        check = _of_field(field, rules, deep=deep)
        if check is not None:
            checks[field.number] = check
    return _Plan(tuple(required), tuple(at_least), checks, tuple(wholes))


def _absence_shows(field: FieldDescriptor) -> bool:
    numbers = _INTEGERS | _FLOATS | {FieldDescriptor.CPPTYPE_BOOL}
    return field.is_repeated or field.has_presence or field.cpp_type not in numbers


def _refuse_if(wrong: object, field: FieldDescriptor, why: str) -> None:
    if wrong:
        raise TypeError(f"{field.full_name}: {why}")


def _in_order(first: FieldDescriptor, last: FieldDescriptor | None) -> Whole:
    if last is None or any(it.message_type is None or it.message_type.full_name != _TIMESTAMP for it in (first, last)):
        raise TypeError(f"{first.full_name}: not_after names no time, or is none")

    def whole(message: Any) -> Problems:
        if not (message.HasField(first.name) and message.HasField(last.name)):
            return {}
        since, until = getattr(message, first.name), getattr(message, last.name)
        late = (since.seconds, since.nanos) > (until.seconds, until.nanos)
        return {first.name: f"must not be after {last.name}"} if late else {}

    return whole


def _of_field(field: FieldDescriptor, rules: options_pb2.Rules, *, deep: bool) -> Check | None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        _refuse_if(rules.pattern or rules.HasField("min") or rules.HasField("max"), field, "a map has only lengths")
        keys, values = (_of_value(part, options_pb2.Rules(), deep=deep) for part in field.message_type.fields)
        return _of_map(rules.max_len, keys, values)
    if field.is_repeated:
        item_rules = options_pb2.Rules()
        item_rules.CopyFrom(rules)
        item_rules.ClearField("min_len")
        item_rules.ClearField("max_len")
        return _of_list(rules.max_len, _of_value(field, item_rules, deep=deep))
    return _of_value(field, rules, deep=deep)


def _of_value(field: FieldDescriptor, rules: options_pb2.Rules, *, deep: bool) -> Check | None:
    bounded = rules.HasField("min") or rules.HasField("max")
    measured = rules.min_len or rules.max_len
    kind = field.cpp_type
    _refuse_if(bounded and kind not in _INTEGERS | _FLOATS, field, "min and max are for numbers")
    _refuse_if(measured and kind != FieldDescriptor.CPPTYPE_STRING, field, "lengths are for text, bytes and lists")
    is_text = field.type == FieldDescriptor.TYPE_STRING
    _refuse_if(rules.pattern and not is_text, field, "a pattern is for text")
    if is_text:
        return _of_text(rules)
    if kind == FieldDescriptor.CPPTYPE_STRING:
        return _of_bytes(rules) if measured else None
    if field.enum_type is not None:
        return _of_enum(frozenset(field.enum_type.values_by_number), repeated=field.is_repeated)
    if field.message_type is not None:
        return _of_message(field.message_type) if deep else None
    return _of_number(rules) if bounded or kind in _FLOATS else None


def _of_text(rules: options_pb2.Rules) -> Check:
    least, most = rules.min_len, rules.max_len or None
    pattern = re.compile(rules.pattern).fullmatch if rules.pattern else None
    hint = f"must be {rules.hint}" if rules.hint else "has an invalid form"

    def check(value: str, path: str, found: Problems) -> None:
        if "\0" in value:
            found[path] = "must not contain NUL"
        elif len(value) < least:
            found[path] = f"must have at least {least} characters"
        elif most is not None and len(value) > most:
            found[path] = f"must have at most {most} characters"
        elif pattern is not None and pattern(value) is None:
            found[path] = hint

    return check


def _of_bytes(rules: options_pb2.Rules) -> Check:
    least, most = rules.min_len, rules.max_len or None

    def check(value: bytes, path: str, found: Problems) -> None:
        if len(value) < least:
            found[path] = f"must have at least {least} bytes"
        elif most is not None and len(value) > most:
            found[path] = f"must have at most {most} bytes"

    return check


def _of_enum(numbers: frozenset[int], *, repeated: bool) -> Check:
    # Zero is "not stated", which in a list states nothing.
    known = numbers - {0} if repeated else numbers

    def check(value: int, path: str, found: Problems) -> None:
        if value not in known:
            found[path] = "is not a known value"

    return check


def _of_number(rules: options_pb2.Rules) -> Check:
    least = rules.min if rules.HasField("min") else -math.inf
    most = rules.max if rules.HasField("max") else math.inf

    def check(value: float, path: str, found: Problems) -> None:
        if not math.isfinite(value):
            found[path] = "must be a finite number"
        elif value < least:
            found[path] = f"must be at least {least}"
        elif value > most:
            found[path] = f"must be at most {most}"

    return check


def _of_message(descriptor: Descriptor) -> Check:
    if descriptor.full_name in _SECONDS:
        first, last, least_nanos = _SECONDS[descriptor.full_name]

        def check_time(value: Any, path: str, found: Problems) -> None:
            if not (first <= value.seconds <= last and least_nanos <= value.nanos <= 999_999_999):
                found[path] = "is out of range"

        return check_time

    def check(value: Message, path: str, found: Problems) -> None:
        # Compiled at first use rather than now, since a message may contain its own kind.
        _check(compiled(descriptor), value, f"{path}.", found)

    return check


def _of_list(most: int, item: Check | None) -> Check:
    def check(values: Any, path: str, found: Problems) -> None:
        if most and len(values) > most:
            found[path] = f"must have at most {most} items"
        elif item is not None:
            for index, value in enumerate(values):
                item(value, f"{path}[{index}]", found)
                if len(found) >= MAX_PROBLEMS:
                    return

    return check


def _of_map(most: int, key_check: Check | None, value_check: Check | None) -> Check:
    def check(values: Any, path: str, found: Problems) -> None:
        if most and len(values) > most:
            found[path] = f"must have at most {most} items"
            return
        for key in values:
            # Keys are the caller's words: only a plain one is fit to be repeated in an error.
            place = f"{path}[{key}]" if _PLAIN_KEY.fullmatch(str(key)) else f"{path}[…]"
            if key_check is not None:
                key_check(key, place, found)
            if value_check is not None:
                value_check(values[key], place, found)
            if len(found) >= MAX_PROBLEMS:
                return

    return check
