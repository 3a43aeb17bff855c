"""Envoy's JSON as ours, and our requests as Envoy's: each difference by its name in `differences.py`. Pure.

Goes by descriptors and options alone; shares no code with the facade that it is compared with.
"""

import base64
import json
import re
from decimal import Decimal

from google.protobuf.descriptor import FieldDescriptor as F

from gen.ingate.options.v1 import options_pb2
from tests.e2e.transcoding.differences import FORMS

_LONG = {F.TYPE_INT64, F.TYPE_UINT64, F.TYPE_FIXED64, F.TYPE_SFIXED64, F.TYPE_SINT64}
_SHORT_FRACTION = re.compile(r"\.(\d{3})Z$")
_TIMESTAMP = "google.protobuf.Timestamp"


def parsed(text):
    """Returns the value of JSON text, fractions digit by digit."""
    return json.loads(text, parse_float=Decimal)


class Forms:
    """Translates, and keeps in `seen` the names of the differences that it met. One that is not listed is KeyError."""

    def __init__(self):
        self.seen = set()

    def saw(self, name):
        """Notes a difference."""
        assert name in FORMS, name
        self.seen.add(name)

    def message(self, descriptor, told):
        """Returns the object of ours for one of Envoy's. Raises AssertionError for members that the message lacks."""
        left = dict(told)
        out = {}
        merging = ""
        for field in descriptor.fields:
            form = field.GetOptions().Extensions[options_pb2.form]
            value = left.pop(field.name, None)
            if form == options_pb2.FORM_INLINE:
                self.saw("inline")
                out |= self.message(field.message_type, value or {})
            elif form == options_pb2.FORM_MERGED:
                if value:
                    self.saw("merged")
                    out[merging] |= self._field(field, value)
            else:
                out[field.name] = self._field(field, value)
                merging = field.name if _is_map(field) else merging
        assert not left, (descriptor.full_name, left)
        return out

    def _field(self, field, value):
        if _is_map(field):
            one = field.message_type.fields_by_name["value"]
            return {key: self._single(one, item) for key, item in (value or {}).items()}
        if field.is_repeated:
            return [self._single(field, item) for item in value or []]
        if value is None:
            self.saw("null")
            return None
        return self._single(field, value)

    def _single(self, field, value):
        if field.message_type is not None:
            timed = field.message_type.full_name == _TIMESTAMP
            return self._time(value) if timed else self.message(field.message_type, value)
        if field.enum_type is not None:
            self.saw("enum_word")
            return _word(field.enum_type, value)
        if field.type in _LONG:
            self.saw("integer")
            return int(value)
        name, read = _READ.get(field.GetOptions().Extensions[options_pb2.form], ("", None))
        if read is None:
            return value
        self.saw(name)
        return read(value)

    def _time(self, value):
        if _SHORT_FRACTION.search(value):
            self.saw("fraction")
        return _SHORT_FRACTION.sub(r".\g<1>000Z", value)

    def request(self, descriptor, said):
        """Returns the members, of a body or a query, by which Envoy hears what ours say."""
        out = {name: self._said(descriptor.fields_by_name[name], value) for name, value in said.items()}
        if None in said.values() and "update_mask" in descriptor.fields_by_name:
            self.saw("null_clears")
            names = (descriptor.fields_by_name[name].camelcase_name for name in said)
            out = {name: value for name, value in out.items() if value is not None} | {"update_mask": ",".join(names)}
        return out

    def _said(self, field, value):
        if field.enum_type is None or value is None:
            return value
        self.saw("enum_word")
        names = {_word(field.enum_type, it.name): it.name for it in field.enum_type.values}
        return [names[it] for it in value] if field.is_repeated else names[value]


def _is_map(field):
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _word(enum, name):
    """Returns the word of the API's reference for the name of a value."""
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper() + "_"
    assert name.startswith(prefix), name
    word = name.removeprefix(prefix)
    if word == "UNSPECIFIED":
        return None
    if enum.name == "Cache":  # the words of the header X-Cache
        return word
    return word.lower().replace("_", "-") if enum.name == "ProviderType" else word.lower()


def _document(value):
    return parsed(base64.b64decode(value)) if value else None


def _body(value):
    body = base64.b64decode(value)
    if not body:
        return None
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return {"base64": value}
    try:
        return parsed(text)
    except ValueError:
        return text


_READ = {
    options_pb2.FORM_DECIMAL: ("decimal", parsed),
    options_pb2.FORM_DOCUMENT: ("document", _document),
    options_pb2.FORM_BODY: ("body", _body),
}
"""The difference that a form makes, and how Envoy's value becomes ours."""
