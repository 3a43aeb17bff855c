"""Paths, queries and JSON bodies to request messages, by descriptor. Knows no HTTP, no rpc and no route.

An update learns from the members that are there what it changes: `ingate.rpc.updates`.

Strict: what does not fit is `BadRequest`, all of it together, named by JSON paths. Members are bound from their text,
so that documents and decimals arrive digit by digit as they were sent.
"""

import base64
import binascii
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gen.ingate.options.v1 import options_pb2
from ingate.errors import BadRequest
from ingate.rpc import updates
from ingate.rpc.bounds import bounds
from rest_facade import documents
from rest_facade.documents import MAX_PARTS, SHOWN, Members
from rest_facade.faults import Faults
from rest_facade.message_json import NUMBER
from rest_facade.style import Style, child_type, form, is_map, json_name
from rest_facade.values import Convert, converter, reader

Value = Callable[[bytes, str], Any]
"""JSON text and its path → what a field takes."""

Write = Callable[[Any, bytes, str], None]
"""Sets a field of a message from the JSON text at a path, or fills a message with it."""

_ESCAPED = 12
"""Bytes that one character of a string takes at most in JSON: two escapes of six."""


@dataclass(frozen=True, slots=True)
class Argument:
    """A field as a query or path parameter."""

    name: str
    repeated: bool
    read: Callable[[str], Any]
    convert: Convert
    is_message: bool

    def set(self, message: Any, text: str, path: str) -> None:
        """Sets the field from text, or appends to it where it is repeated. Raises `BadRequest`."""
        value = self.convert(self.read(text), path)
        if self.repeated:
            getattr(message, self.name).append(value)
        elif self.is_message:
            getattr(message, self.name).CopyFrom(value)
        else:
            setattr(message, self.name, value)


@dataclass(frozen=True, slots=True)
class Slots:
    """What a message takes: `members` of a JSON object, `arguments` as text, by their names on the wire."""

    members: dict[str, Write]
    arguments: dict[str, Argument]

    def renamed(self, renames: Mapping[str, str]) -> "Slots":
        """Returns the slots under other names (wire name → present name); the present names are gone."""
        gone = set(renames.values())
        return Slots(
            {name: write for name, write in self.members.items() if name not in gone}
            | {wire: self.members[name] for wire, name in renames.items()},
            {name: argument for name, argument in self.arguments.items() if name not in gone}
            | {wire: self.arguments[name] for wire, name in renames.items() if name in self.arguments},
        )


class Binder:
    """Compiles slots per message type for one style, and keeps them. `strict` refuses unknown members of objects."""

    def __init__(self, style: Style, *, strict: bool) -> None:
        self._style = style
        self._strict = strict
        self._slots: dict[str, Slots] = {}

    def slots(self, descriptor: Descriptor) -> Slots:
        """Returns what messages of a type take."""
        slots = self._slots.get(descriptor.full_name)
        if slots is None:
            # Registered before it is filled, so that recursive types end.
            slots = self._slots[descriptor.full_name] = Slots({}, {})
            for field in descriptor.fields:
                self._add(slots, field)
        return slots

    def fill(self, message: Any, slots: Slots, found: Members, at: str = "") -> None:
        """Sets fields from the members of an object at a JSON path. Raises `BadRequest` naming all that do not fit."""
        faults = Faults()
        for key, raw in found:
            path = f"{at}.{key[:SHOWN]}" if at else key[:SHOWN]
            write = slots.members.get(key)
            try:
                if write is not None:
                    write(message, bytes(raw), path)
                elif self._strict:
                    raise BadRequest.field(path, "is not a known field", "UNKNOWN_FIELD")
            except BadRequest as error:
                faults.add(error)
        faults.refuse()

    def _add(self, slots: Slots, field: FieldDescriptor) -> None:
        if field.name == updates.MASK or form(field) == options_pb2.FORM_MERGED:
            return
        if form(field) == options_pb2.FORM_INLINE:
            for key, write in self.slots(child_type(field)).members.items():
                slots.members[key] = _within(field.name, write)
            return
        key = json_name(field, self._style)
        slots.members[key] = self._member(field)
        read, convert = reader(field), converter(field)
        if read is not None and convert is not None:
            slots.arguments[key] = Argument(
                field.name, field.is_repeated, read, convert, field.message_type is not None
            )

    def _member(self, field: FieldDescriptor) -> Write:
        message = field.containing_type
        if message is None or not updates.is_update(message):
            return self._write(field)
        return _stated(field.name, self._write(field), changes=field.name in updates.refusals(message))

    def _write(self, field: FieldDescriptor) -> Write:
        if is_map(field):
            fields = child_type(field).fields_by_name
            if fields["key"].type != FieldDescriptor.TYPE_STRING:
                raise TypeError(f"{field.full_name}: only maps with string keys have a JSON form here")
            return _map(field.name, self._filler(fields["value"]), _value(fields["value"]), _most(field))
        if field.is_repeated:
            return _list(field.name, self._filler(field), _value(field), _most(field))
        return _single(field.name, self._filler(field), _value(field))

    def _filler(self, field: FieldDescriptor) -> Write | None:
        """Returns what fills a message field's value, None for fields of other types."""
        if field.message_type is None:
            return None
        convert = converter(field)
        if convert is not None:
            return lambda child, text, path: child.CopyFrom(convert(documents.value(text, path), path))
        slots = self.slots(child_type(field))
        return lambda child, text, path: self.fill(child, slots, _object(text, path), path)


def _single(name: str, fill: Write | None, value: Value) -> Write:
    def write(message: Any, text: bytes, path: str) -> None:
        if text == b"null":
            return
        if fill is None:
            setattr(message, name, value(text, path))
        else:
            child = getattr(message, name)
            child.SetInParent()
            fill(child, text, path)

    return write


def _list(name: str, fill: Write | None, value: Value, most: int) -> Write:
    def write(message: Any, text: bytes, path: str) -> None:
        target = getattr(message, name)
        faults = Faults()
        for index, raw in enumerate(documents.items(text, path, most)):
            at = f"{path}[{index}]"
            try:
                if fill is None:
                    target.append(value(bytes(raw), at))
                else:
                    fill(target.add(), bytes(raw), at)
            except BadRequest as error:
                faults.add(error)
        faults.refuse()

    return write


def _map(name: str, fill: Write | None, value: Value, most: int) -> Write:
    def write(message: Any, text: bytes, path: str) -> None:
        target = getattr(message, name)
        faults = Faults()
        for key, raw in documents.members(text, path, most):
            at = f"{path}.{key[:SHOWN]}"
            try:
                if "\x00" in key:
                    raise BadRequest.field(path, "must not contain NUL", "BAD_FORMAT")
                if fill is None:
                    target[key] = value(bytes(raw), at)
                else:
                    fill(target[key], bytes(raw), at)
            except BadRequest as error:
                faults.add(error)
        faults.refuse()

    return write


def _stated(name: str, write: Write, *, changes: bool) -> Write:
    """Returns the writing of an update's field, which says that it was stated; null changes no other."""

    def stated(message: Any, text: bytes, path: str) -> None:
        if changes:
            getattr(message, updates.MASK).paths.append(name)
        elif text == b"null":
            raise BadRequest.field(path, "must not be null", "NULL")
        write(message, text, path)

    return stated


def _within(name: str, write: Write) -> Write:
    return lambda message, text, path: write(getattr(message, name), text, path)


def _object(text: bytes, path: str) -> Members:
    if text == b"null":
        raise BadRequest.field(path, "must be an object", "WRONG_TYPE")
    return documents.members(text, path)


def _value(field: FieldDescriptor) -> Value:
    if form(field) == options_pb2.FORM_DOCUMENT:
        return lambda text, _path: text
    if form(field) == options_pb2.FORM_BODY:
        return _body
    if form(field) == options_pb2.FORM_DECIMAL:
        return _decimal
    convert = converter(field)
    if convert is None:
        return _body  # a message, which is filled and has no value
    if field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated:
        return _text(convert, bounds(field).most_length)
    return lambda text, path: convert(documents.value(text, path), path)


def _text(convert: Convert, most: int) -> Value:
    """Returns the reading of a string of `most` characters, 0 for no bound. What must be longer is not read first."""
    bytes_ = _ESCAPED * most + 2 if most else sys.maxsize

    def value(text: bytes, path: str) -> Any:
        if len(text) > bytes_:
            raise BadRequest.field(path, f"must have at most {most} characters", "TOO_LONG")
        return convert(documents.value(text, path), path)

    return value


def _most(field: FieldDescriptor) -> int:
    """Returns how many items or entries a field takes."""
    return bounds(field).most_length or MAX_PARTS


def _decimal(text: bytes, path: str) -> str:
    number = text.decode()
    if not NUMBER.fullmatch(number):
        raise BadRequest.field(path, "must be a number", "WRONG_TYPE")
    return number


def _body(text: bytes, path: str) -> bytes:
    """Returns an HTTP body: the content of a string, the bytes of {"base64": "..."}, else the JSON as it is."""
    value = documents.value(text, path)
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict) and value.keys() == {"base64"} and isinstance(value["base64"], str):
        try:
            return base64.b64decode(value["base64"], validate=True)
        except (binascii.Error, ValueError):
            raise BadRequest.field(f"{path}.base64", "must be base64", "BAD_FORMAT") from None
    return text
