"""What request messages must look like: the bounds that protos state, and what no field may hold.

Bounds are `buf.validate` annotations, evaluated by protovalidate; what its annotations do not say of every field is
checked by `ingate.rpc.plain` before it. A field without presence that holds its zero is one that was not given. Knows
nothing of rpcs and of who calls.

Problems name fields by path (`headers[3].name`) and never quote a value.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from protovalidate import Validator

from gen.buf.validate import validate_pb2
from gen.ingate.options.v1 import options_pb2
from ingate.errors import INVALID, OUT_OF_RANGE, Problem
from ingate.rpc import excess, plain, updates
from ingate.rpc.plain import MAX_PROBLEMS, Problems, place

_RULES: Any = validate_pb2.field
_MESSAGE: Any = validate_pb2.message
_WORDS = {
    "required": ("is required", "REQUIRED"),
    "string.min_len": ("must have at least {} characters", "TOO_SHORT"),
    "string.max_len": ("must have at most {} characters", "TOO_LONG"),
    "bytes.min_len": ("must have at least {} bytes", "TOO_SHORT"),
    "bytes.max_len": ("must have at most {} bytes", "TOO_LONG"),
    "repeated.min_items": ("must have at least {} items", "TOO_FEW"),
    "repeated.max_items": ("must have at most {} items", "TOO_MANY"),
    "map.max_pairs": ("must have at most {} items", "TOO_MANY"),
    "enum.defined_only": ("is not a known value", "UNKNOWN_VALUE"),
    "enum.not_in": ("is not a known value", "UNKNOWN_VALUE"),
}
"""What a field is told that breaks a rule, with the rule's value, and the reason."""
_UNFIT = "has an invalid form"


@cache
def _validator() -> Validator:
    return Validator()


def problems(message: Message, *, deep: bool = True) -> Problems:
    """Returns what is wrong with a message, by field path; empty when nothing is, at most MAX_PROBLEMS.

    Without `deep`, messages inside it may hold what no field may. A message type costs some 10 ms when it is first
    seen, each message some microseconds, and each broken rule a part of a millisecond: of what is too long, the
    beginning is judged.
    """
    found = plain.problems(message, deep=deep)
    if plain.NO_TIME in found.values():
        return found  # rules that compare times are not defined for it
    descriptor: Any = message.DESCRIPTOR
    if _has_rules(descriptor):
        for violation in _validator().collect_violations(excess.cut(message)):
            path, problem = _told(descriptor, violation)
            found.setdefault(path, problem)
            if len(found) >= MAX_PROBLEMS:
                return found
    if updates.is_update(descriptor):
        for name, words in updates.problems(message).items():
            found.setdefault(name, words)
    return found


@cache
def _has_rules(descriptor: Descriptor) -> bool:
    """Tells whether a message type or one inside it states a bound."""
    return any(True for _ in _stating(descriptor, set()))


def _stating(descriptor: Descriptor, seen: set[str]) -> Iterator[Descriptor]:
    if descriptor.full_name in seen:
        return
    seen.add(descriptor.full_name)
    if descriptor.GetOptions().HasExtension(_MESSAGE) or any(
        field.GetOptions().HasExtension(_RULES) for field in descriptor.fields
    ):
        yield descriptor
    for field in descriptor.fields:
        if field.message_type is not None:
            yield from _stating(field.message_type, seen)


def _told(descriptor: Descriptor, violation: Any) -> tuple[str, Problem]:
    """Returns the path of the field that breaks a rule, and what it is told."""
    stated = violation.proto
    if stated.field is None:
        # Between the fields of a message: the rule's name begins with the field that is told.
        name, _, rule = stated.rule_id.partition(".")
        return name, Problem(stated.message, rule.upper())
    path, field = "", None
    within: Descriptor | None = descriptor
    for element in stated.field.elements:
        field = None if within is None else within.fields_by_name.get(element.field_name)  # None of a oneof
        path += ("." if path else "") + element.field_name
        if element.subscript is not None:
            path += place(element.subscript.value)
        within = None if field is None else _inside(field)
    return path, _problem(stated.rule_id, violation, field)


def _inside(field: FieldDescriptor) -> Descriptor | None:
    inside = field.message_type
    if inside is not None and inside.GetOptions().map_entry:
        return inside.fields_by_name["value"].message_type
    return inside


def _problem(rule: str, violation: Any, field: FieldDescriptor | None) -> Problem:
    if rule in _WORDS:
        words, reason = _WORDS[rule]
        return Problem(words.format(violation.rule_value), reason)
    if rule == "string.pattern":
        hint = "" if field is None else field.GetOptions().Extensions[options_pb2.hint]
        return Problem(f"must be {hint}" if hint else _UNFIT, "BAD_FORMAT")
    kind, _, name = rule.partition(".")
    if name.startswith(("gte", "lte")) and field is not None:
        rules = field.GetOptions().Extensions[_RULES]
        bounds = getattr(rules.repeated.items if field.is_repeated else rules, kind)
        if bounds.HasField("gte") and violation.field_value < bounds.gte:
            return Problem(f"must be at least {bounds.gte}", OUT_OF_RANGE)
        return Problem(f"must be at most {bounds.lte}", OUT_OF_RANGE)
    return Problem(violation.proto.message or _UNFIT, INVALID)
