"""Messages to JSON, by a plan compiled once per message type and style. Knows no HTTP and no rpc.

Unlike proto JSON: names as documented, 64-bit integers as numbers, every field written (unset ones as null),
short enum words, and the `Form` options (documents, decimals, inlined messages, HTTP bodies).
"""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from msgspec import Raw

from gen.ingate.options.v1 import options_pb2
from rest_facade import timestamps
from rest_facade.style import Style, child_type, enum_words, form, is_map, json_name, merged_into

Read = Callable[[Any], Any]
"""Value of a field → JSON-ready value."""

NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
TIMESTAMP = "google.protobuf.Timestamp"

_syntax = msgspec.json.Decoder(Raw)
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class _Plan:
    """What a message looks like when nothing is set, in order, and how each field that is set changes that."""

    blank: dict[str, Any]
    writers: dict[int, tuple[str, Read | None]]
    inlined: dict[int, "_Plan"]
    merged: dict[int, str]
    """The names of maps to which others' entries are added, by the number of the other."""


class Wire:
    """Writes messages in one style; keeps the plans. Bounded by the number of message types."""

    def __init__(self, style: Style) -> None:
        self._style = style
        self._plans: dict[str, _Plan] = {}

    def valuer(self, descriptor: Descriptor) -> Callable[[Any], dict[str, Any]]:
        """Returns the function that turns messages of a type into dictionaries that `encode` takes.

        The dictionary is the caller's own; lists and dictionaries inside it may be shared and are not to be changed.
        """
        plan = self._plan(descriptor)
        if self._style.omit_unset:
            return lambda message: {key: value for key, value in _fill(plan, message).items() if value is not None}
        return lambda message: _fill(plan, message)

    def _plan(self, descriptor: Descriptor) -> _Plan:
        plan = self._plans.get(descriptor.full_name)
        if plan is None:
            # Registered before it is filled, so that recursive types end.
            plan = self._plans[descriptor.full_name] = _Plan({}, {}, {}, {})
            for field in descriptor.fields:
                self._add(plan, field)
        return plan

    def _add(self, plan: _Plan, field: FieldDescriptor) -> None:
        if form(field) == options_pb2.FORM_MERGED:
            plan.merged[field.number] = json_name(merged_into(field), self._style)
            return
        if form(field) == options_pb2.FORM_INLINE:
            plan.inlined[field.number] = self._plan(child_type(field))
            blanks = plan.inlined[field.number].blank
        else:
            key = json_name(field, self._style)
            plan.writers[field.number] = key, self._writer(field)
            blanks = {key: self._blank(field)}
        if plan.blank.keys() & blanks.keys():
            raise ValueError(f"{field.full_name}: its name in JSON is taken")
        plan.blank |= blanks

    def _blank(self, field: FieldDescriptor) -> Any:
        if is_map(field):
            return {}
        if field.is_repeated:
            return []
        if field.has_presence or field.enum_type is not None:
            return None
        item = self._item(field)
        return field.default_value if item is None else item(field.default_value)

    def _writer(self, field: FieldDescriptor) -> Read | None:
        """Returns the conversion of a whole field, None where msgspec writes it as it is."""
        if is_map(field):
            write = self._item(child_type(field).fields_by_name["value"]) or _same
            return lambda value: {_key(key): write(entry) for key, entry in value.items()}
        item = self._item(field)
        if field.is_repeated:
            return list if item is None else lambda value: [item(entry) for entry in value]
        return item

    def _item(self, field: FieldDescriptor) -> Read | None:
        """Returns the conversion of one value of a field, None where msgspec writes it as it is."""
        if field.message_type is not None:
            if field.message_type.full_name == TIMESTAMP:
                return timestamps.to_text_millis if self._style.millis else timestamps.to_text
            return self.valuer(child_type(field))
        if field.enum_type is not None:
            words: dict[int, Any] = dict(enum_words(field.enum_type))
            return lambda number: words.get(number, number)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return _BYTES.get(form(field), _base64)
        return _decimal if form(field) == options_pb2.FORM_DECIMAL else None


def _fill(plan: _Plan, message: Any) -> dict[str, Any]:
    # ListFields visits what is set and nothing else: long messages are mostly unset.
    out = plan.blank.copy()
    writers = plan.writers
    for field, value in message.ListFields():
        number = field.number
        if number in writers:
            key, write = writers[number]
            out[key] = value if write is None else write(value)
        elif number in plan.merged:
            out[plan.merged[number]] = {**out[plan.merged[number]], **value}
        else:
            out |= _fill(plan.inlined[number], value)
    return out


def encode(value: Any) -> bytes:
    """Returns the JSON text of a JSON-ready value."""
    return _encode(value)


def _same(value: Any) -> Any:
    return value


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(key)


def _decimal(text: str) -> Any:
    if NUMBER.fullmatch(text):
        return Raw(text.encode())
    return text or None


def _document(text: bytes) -> Any:
    # What another client stored may not be JSON; one bad document must not spoil the answer around it.
    if not text:
        return None
    return Raw(text) if _is_json(text) else text.decode(errors="replace")


def _body(body: bytes) -> Any:
    if not body:
        return None
    if _is_json(body):
        return Raw(body)
    try:
        return body.decode()
    except UnicodeDecodeError:
        return {"base64": _base64(body)}


def _is_json(text: bytes) -> bool:
    try:
        _syntax.decode(text)
        text.isascii() or text.decode()
    except (ValueError, RecursionError):
        return False
    return True


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


_BYTES: dict[int, Read] = {options_pb2.FORM_DOCUMENT: _document, options_pb2.FORM_BODY: _body}
