"""Messages as JSON Schemas, in the words and forms of the native dialect."""

from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from gen.ingate.options.v1 import options_pb2
from ingate.rpc import updates
from ingate.rpc.bounds import Bounds, bounds
from rest_facade.message_json import TIMESTAMP
from rest_facade.spec.comments import comments
from rest_facade.style import child_type, enum_words, form, is_map, merged_into

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


class Schemas:
    """Collects the schemas of messages and enumerations that a document refers to."""

    def __init__(self) -> None:
        self.found: dict[str, Schema] = {}

    def reference(self, message: Descriptor) -> Schema:
        """Returns a reference to the schema of a message."""
        name = _short(message.full_name)
        if name not in self.found:
            self.found[name] = {}
            self.found[name] = self.object(message)
        return {"$ref": f"#/components/schemas/{name}"}

    def object(self, message: Descriptor, without: frozenset[str] = frozenset()) -> Schema:
        """Returns the schema of a message, less the fields that stand elsewhere in the request."""
        properties: Schema = {}
        required = []
        for field in message.fields:
            if field.name in without or field.name == updates.MASK:
                continue
            if form(field) == options_pb2.FORM_MERGED:
                entries = properties[merged_into(field).name]
                others = self.field(field)["additionalProperties"]
                entries["additionalProperties"] = {"anyOf": [entries["additionalProperties"], others]}
                continue
            if form(field) == options_pb2.FORM_INLINE:
                inner = self.object(child_type(field))
                properties |= inner["properties"]
                continue
            properties[field.name] = self.field(field)
            if is_required(field):
                required.append(field.name)
        schema: Schema = {"type": "object", "properties": properties}
        if required:
            schema["required"] = required
        if updates.is_update(message):
            schema["minProperties"] = 1
        return _described(schema, message.full_name)

    def field(self, field: FieldDescriptor) -> Schema:
        """Returns the schema of a field's value, null included where it can be unset."""
        if is_map(field) and field.message_type is not None:
            value = field.message_type.fields_by_name["value"]
            schema: Schema = {"type": "object", "additionalProperties": self._one(value)}
        elif field.is_repeated:
            schema = {"type": "array", "items": self._one(field)}
        else:
            schema = self._one(field)
            clearing = field.GetOptions().Extensions[options_pb2.clearing]
            if field.has_presence and not is_required(field) and not clearing.refused:
                schema = _nullable(schema)
        options = field.GetOptions()
        schema = _described(_bounded(schema, bounds(field)), field.full_name)
        if options.HasExtension(options_pb2.clearing):
            return _cleared(schema, field, options.Extensions[options_pb2.clearing])
        return schema

    def _one(self, field: FieldDescriptor) -> Schema:
        if field.message_type is not None:
            if field.message_type.full_name == TIMESTAMP:
                return {"type": "string", "format": "date-time"}
            return self.reference(field.message_type)
        if field.enum_type is not None:
            return self._enum(field.enum_type)
        if field.type == FieldDescriptor.TYPE_BYTES and not form(field):
            return {"type": "string", "contentEncoding": "base64"}
        return dict(_FORMS.get(form(field)) or _SCALARS[field.cpp_type])

    def _enum(self, enum: EnumDescriptor) -> Schema:
        name = _short(enum.full_name)
        if name not in self.found:
            words = [word for word in enum_words(enum).values() if word is not None]
            self.found[name] = _described({"type": "string", "enum": words}, enum.full_name)
        return {"$ref": f"#/components/schemas/{name}"}


def is_required(field: FieldDescriptor) -> bool:
    """Tells whether a request must state a field."""
    return field_behavior_pb2.REQUIRED in field.GetOptions().Extensions[_BEHAVIOUR]


def _bounded(schema: Schema, stated: Bounds) -> Schema:
    kind = schema.get("type")
    types = kind if isinstance(kind, list) else [kind]
    if "array" in types or "object" in types:
        least, most = ("minItems", "maxItems") if "array" in types else ("minProperties", "maxProperties")
    elif "string" in types:
        least, most = "minLength", "maxLength"
        if stated.pattern:
            schema["pattern"] = stated.pattern
    else:
        least = most = ""
    if least and stated.least_length:
        schema[least] = stated.least_length
    if most and stated.most_length:
        schema[most] = stated.most_length
    if stated.least is not None:
        schema["minimum"] = stated.least
    if stated.most is not None:
        schema["maximum"] = stated.most
    return schema


def _cleared(schema: Schema, field: FieldDescriptor, clearing: options_pb2.Clearing) -> Schema:
    """Returns the schema of a field that an update may change, with what becomes of it by null or an empty list."""
    if clearing.refused:
        least = "minProperties" if is_map(field) else "minItems"
        return schema | ({least: 1} if field.is_repeated else {})
    nullable = _nullable(schema) if field.is_repeated else schema
    return nullable | {"description": f"{schema['description']} `null` sets it to: {clearing.to}."}


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


def _short(full_name: str) -> str:
    """Returns `keys.Key` of `ingate.keys.v1.Key`."""
    _, area, _, name = full_name.split(".", 3)
    return f"{area}.{name}"
