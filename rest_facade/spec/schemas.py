"""Messages as JSON Schemas, in the words and forms of the native dialect."""

from collections.abc import Callable
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from gen.ingate.options.v1 import options_pb2
from ingate.rpc import updates
from ingate.rpc.bounds import Bounds, bounds
from rest_facade.message_json import TIMESTAMP
from rest_facade.spec.comments import comments
from rest_facade.spec.names import schema_name
from rest_facade.style import child_type, enum_words, form, is_map, merged_into
from rest_facade.values import RANGES

Schema = dict[str, Any]

_BEHAVIOUR: Any = field_behavior_pb2.field_behavior
_SCALARS: dict[int, Schema] = {
    FieldDescriptor.CPPTYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.CPPTYPE_INT64: {"type": "integer", "format": "int64"},
    FieldDescriptor.CPPTYPE_UINT32: {"type": "integer", "format": "int64", "minimum": 0},
    FieldDescriptor.CPPTYPE_UINT64: {"type": "integer", "format": "int64", "minimum": 0},
    FieldDescriptor.CPPTYPE_FLOAT: {"type": "number"},
    FieldDescriptor.CPPTYPE_DOUBLE: {"type": "number"},
    FieldDescriptor.CPPTYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.CPPTYPE_STRING: {"type": "string"},
}
_FORMS: dict[int, Schema] = {
    options_pb2.FORM_DOCUMENT: {"description": "Any JSON value."},
    options_pb2.FORM_BODY: {"description": "JSON as it is, other text as a string, the rest as {base64}."},
    options_pb2.FORM_DECIMAL: {"type": "number"},
}

_LENGTHS = {
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
    "string": ("minLength", "maxLength"),
}
_UNSET = {options_pb2.FORM_DOCUMENT, options_pb2.FORM_BODY, options_pb2.FORM_DECIMAL}
"""Forms in which what is empty is null."""


class Schemas:
    """Collects the schemas of messages and enumerations that a document refers to.

    A message that is sent and one that is answered have different schemas: what is sent may leave members out and has
    no unknown ones, what is answered has every member.
    """

    def __init__(self) -> None:
        self.found: dict[str, Schema] = {}
        self._named: dict[str, str] = {}

    def reference(self, message: Descriptor) -> Schema:
        """Returns a reference to the schema of a message that is answered."""
        return self._kept(message.full_name, schema_name(message.full_name), lambda: _answered(message, self))

    def request(self, message: Descriptor, without: frozenset[str] = frozenset(), name: str = "") -> Schema:
        """Returns a reference to the schema of a message that is sent, less the fields that stand elsewhere."""
        own = name or f"{schema_name(message.full_name)}Input"
        what = " ".join((message.full_name, "sent without", *sorted(without)))
        return self._kept(what, own, lambda: _sent(message, self, without))

    def enumeration(self, enum: EnumDescriptor) -> Schema:
        """Returns a reference to the schema of an enumeration."""

        def made() -> Schema:
            words = [word for word in enum_words(enum).values() if word is not None]
            return _described({"type": "string", "enum": words}, enum.full_name)

        return self._kept(enum.full_name, schema_name(enum.full_name), made)

    def _kept(self, what: str, name: str, make: Callable[[], Schema]) -> Schema:
        if self._named.setdefault(name, what) != what:
            raise ValueError(f"{what} and {self._named[name]} are both called {name}")
        if name not in self.found:
            # Before it is made, so that recursive types end.
            self.found[name] = {}
            self.found[name] = make()
        return {"$ref": f"#/components/schemas/{name}"}


def _answered(message: Descriptor, schemas: Schemas) -> Schema:
    properties: Schema = {}
    for field in message.fields:
        if form(field) == options_pb2.FORM_MERGED:
            entries = properties[merged_into(field).name]
            others = answered(field, schemas)["additionalProperties"]
            entries["additionalProperties"] = {"anyOf": [entries["additionalProperties"], others]}
        elif form(field) == options_pb2.FORM_INLINE:
            properties |= _answered(child_type(field), schemas)["properties"]
        else:
            properties[field.name] = answered(field, schemas)
    schema: Schema = {"type": "object", "properties": properties, "required": list(properties)}
    return _described(schema if properties else {"type": "object"}, message.full_name)


def _sent(message: Descriptor, schemas: Schemas, without: frozenset[str]) -> Schema:
    fields = [field for field in message.fields if field.name not in without and field.name != updates.MASK]
    schema: Schema = {
        "type": "object",
        "properties": {field.name: sent(field, schemas) for field in fields},
        "additionalProperties": False,
    }
    if required := [field.name for field in fields if is_required(field)]:
        schema["required"] = required
    if updates.is_update(message):
        schema["minProperties"] = 1
    return _described(schema, message.full_name)


def answered(field: FieldDescriptor, schemas: Schemas) -> Schema:
    """Returns the schema of a field's value in an answer: null where it is unset and that shows."""
    schema = _whole(field, _one(field, schemas, schemas.reference))
    unset = field.has_presence or field.enum_type is not None or form(field) in _UNSET
    return _described(_nullable(schema) if unset and not field.is_repeated else schema, field.full_name)


def sent(field: FieldDescriptor, schemas: Schemas) -> Schema:
    """Returns the schema of a field's value in a request: null where a field may be left out."""
    one = _one(field, schemas, schemas.request)
    if not field.is_repeated and field.type in RANGES:
        one["minimum"], one["maximum"] = RANGES[field.type]
    schema = _bounded(_whole(field, one), bounds(field))
    if is_required(field):
        return _described(_filled(schema), field.full_name)
    options = field.GetOptions()
    if not options.HasExtension(options_pb2.clearing):
        return _described(_nullable(schema), field.full_name)
    clearing = options.Extensions[options_pb2.clearing]
    if clearing.refused:
        return _described(_filled(schema), field.full_name)
    schema = _described(_nullable(schema), field.full_name)
    return schema | {"description": f"{schema['description']} `null` sets it to: {clearing.to}."}


def argument(field: FieldDescriptor, schemas: Schemas) -> Schema:
    """Returns the schema of a field as a parameter of a path or a query, which cannot say null."""
    schema = sent(field, schemas)
    if "anyOf" in schema:
        return {**schema["anyOf"][0], **{key: value for key, value in schema.items() if key != "anyOf"}}
    kind = schema.get("type")
    return schema | {"type": kind[0]} if isinstance(kind, list) else schema


def _whole(field: FieldDescriptor, one: Schema) -> Schema:
    if is_map(field):
        return {"type": "object", "additionalProperties": one}
    return {"type": "array", "items": one} if field.is_repeated else one


def _one(field: FieldDescriptor, schemas: Schemas, reference: Callable[[Descriptor], Schema]) -> Schema:
    """Returns the schema of one value of a field, of a map that of an entry's value."""
    if is_map(field):
        field = child_type(field).fields_by_name["value"]
    if field.message_type is not None:
        timestamp = field.message_type.full_name == TIMESTAMP
        return {"type": "string", "format": "date-time"} if timestamp else reference(field.message_type)
    if field.enum_type is not None:
        return schemas.enumeration(field.enum_type)
    if field.type == FieldDescriptor.TYPE_BYTES and not form(field):
        return {"type": "string", "contentEncoding": "base64"}
    return dict(_FORMS.get(form(field)) or _SCALARS[field.cpp_type])


def is_required(field: FieldDescriptor) -> bool:
    """Tells whether a request must state a field."""
    return field_behavior_pb2.REQUIRED in field.GetOptions().Extensions[_BEHAVIOUR]


def _bounded(schema: Schema, stated: Bounds) -> Schema:
    least, most = _LENGTHS.get(schema.get("type", ""), ("", ""))
    if stated.pattern:
        schema["pattern"] = stated.pattern
    if least and stated.least_length:
        schema[least] = stated.least_length
    if most and stated.most_length:
        schema[most] = stated.most_length
    if stated.least is not None:
        schema["minimum"] = stated.least
    if stated.most is not None:
        schema["maximum"] = stated.most
    return schema


def _filled(schema: Schema) -> Schema:
    """Returns the schema without what counts as nothing."""
    least, _ = _LENGTHS.get(schema.get("type", ""), ("", ""))
    plain = "enum" not in schema and "format" not in schema and "contentEncoding" not in schema
    return schema | {least: max(1, schema.get(least, 0))} if least and plain else schema


def _nullable(schema: Schema) -> Schema:
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return schema | {"type": [schema["type"], "null"]} if "type" in schema else schema


def _described(schema: Schema, full_name: str) -> Schema:
    text = comments().get(full_name)
    return (
        {"description": text, **{key: value for key, value in schema.items() if key != "description"}}
        if text
        else schema
    )
