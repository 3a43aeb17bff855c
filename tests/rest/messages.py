"""Hypothesis strategies for protobuf messages, by descriptor. Only values that JSON can carry there and back."""

import json

from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor as F
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import strategies as st

from gen.ingate.options.v1 import options_pb2
from rest_facade.style import form, is_map

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)
JSON_OBJECT = st.dictionaries(TEXT, st.none() | st.integers() | TEXT | st.lists(st.booleans()), max_size=3)
DOCUMENT = JSON_OBJECT.map(lambda value: json.dumps(value, ensure_ascii=False).encode())
BODY = (
    DOCUMENT
    | st.binary(min_size=1, max_size=8).map(lambda tail: b"\xff" + tail)
    | TEXT.map(lambda t: f"<{t}>".encode())
)
DECIMAL = st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9).map(str)

INTEGERS = {
    F.TYPE_INT32: (-(2**31), 2**31 - 1),
    F.TYPE_INT64: (-(2**63), 2**63 - 1),
    F.TYPE_UINT32: (0, 2**32 - 1),
    F.TYPE_UINT64: (0, 2**64 - 1),
}


def message(descriptor):
    """Returns a strategy for messages of a type, each field set or not."""
    # What is merged into another field is written there, and not read back.
    given = (field for field in descriptor.fields if form(field) != options_pb2.FORM_MERGED)
    fields = {field.name: values(field) for field in given}
    return st.fixed_dictionaries({}, optional=fields).map(lambda given: build(descriptor, given))


def build(descriptor, given):
    made = message_factory.GetMessageClass(descriptor)()
    for name, value in given.items():
        field = descriptor.fields_by_name[name]
        if is_map(field):
            entry = field.message_type.fields_by_name["value"]
            for key, item in value.items():
                if entry.message_type is None:
                    getattr(made, name)[key] = item
                else:
                    getattr(made, name)[key].CopyFrom(item)
        elif field.is_repeated:
            getattr(made, name).extend(value)
        elif field.message_type is not None:
            getattr(made, name).CopyFrom(value)
        else:
            setattr(made, name, value)
    for field in descriptor.fields:
        if form(field) == options_pb2.FORM_INLINE:
            # One in which nothing is set cannot be told from none, and is read as the former.
            getattr(made, field.name).SetInParent()
    return made


def values(field):
    if is_map(field):
        return st.dictionaries(TEXT, single(field.message_type.fields_by_name["value"]), max_size=3)
    return st.lists(single(field), max_size=3) if field.is_repeated else single(field)


def single(field):
    """Returns a strategy for one value of a field."""
    if field.message_type is not None:
        if field.message_type.full_name == "google.protobuf.Timestamp":
            return st.builds(
                lambda seconds, micros: Timestamp(seconds=seconds, nanos=micros * 1000),
                st.integers(-62_135_596_800, 253_402_300_799),
                st.integers(0, 999_999),
            )
        return message(field.message_type)
    if field.enum_type is not None:
        return st.sampled_from([value.number for value in field.enum_type.values if value.number])
    if field.type in INTEGERS:
        return st.integers(*INTEGERS[field.type])
    return {
        F.TYPE_STRING: DECIMAL if form(field) == options_pb2.FORM_DECIMAL else TEXT,
        F.TYPE_BOOL: st.booleans(),
        F.TYPE_DOUBLE: st.floats(allow_nan=False, allow_infinity=False),
        F.TYPE_BYTES: {options_pb2.FORM_DOCUMENT: DOCUMENT, options_pb2.FORM_BODY: BODY}.get(
            form(field), st.binary(max_size=8)
        ),
    }[field.type]
