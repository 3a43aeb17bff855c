"""The REST API as clients see it, in no language: rpcs that have a route, and the types of what they take and answer.

Read from the routes and descriptors that the facade itself answers by, so a client says what the gateway does.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from gen.ingate.options.v1 import options_pb2
from ingate.rpc import updates
from rest_facade import services
from rest_facade.dialects import ingate
from rest_facade.message_json import TIMESTAMP
from rest_facade.routes import Parameter, Route, native_routes, segments
from rest_facade.spec.comments import comments
from rest_facade.spec.schemas import is_required
from rest_facade.style import child_type, enum_words, form, is_map, merged_into

_FORMS = {
    options_pb2.FORM_DOCUMENT: "json",
    options_pb2.FORM_BODY: "json",
    options_pb2.FORM_DECIMAL: "decimal",
}
_SCALARS = {
    FieldDescriptor.CPPTYPE_INT32: "integer",
    FieldDescriptor.CPPTYPE_INT64: "integer",
    FieldDescriptor.CPPTYPE_UINT32: "integer",
    FieldDescriptor.CPPTYPE_UINT64: "integer",
    FieldDescriptor.CPPTYPE_FLOAT: "number",
    FieldDescriptor.CPPTYPE_DOUBLE: "number",
    FieldDescriptor.CPPTYPE_BOOL: "boolean",
    FieldDescriptor.CPPTYPE_STRING: "string",
}


@dataclass(frozen=True, slots=True)
class Type:
    """What a value is. `kind` is string, integer, number, boolean, bytes, timestamp, decimal, json, or one `named`.

    `many` is "list" or "map" (of strings to such values), empty for one value.
    """

    kind: str
    many: str = ""
    nullable: bool = False

    @property
    def named(self) -> bool:
        """Tells whether `kind` is the name of a message or an enumeration."""
        return self.kind[0].isupper()


@dataclass(frozen=True, slots=True)
class Field:
    """A member of a message, or an argument of a call."""

    name: str
    type: Type
    required: bool
    comment: str


@dataclass(frozen=True, slots=True)
class Message:
    """An object that a call answers."""

    name: str
    fields: tuple[Field, ...]
    comment: str


@dataclass(frozen=True, slots=True)
class Enum:
    """Words of which a value is one."""

    name: str
    words: tuple[str, ...]
    comment: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An rpc at its own route.

    `query` tells that the arguments that are not in the path go into the query, not into a body. `answer` is None where
    there is nothing to say. `events` are the data of a stream by the names of its events. `item` is what pages are of,
    empty for what answers no pages. `update` tells that null is another thing than absent.
    """

    name: str
    verb: str
    template: str
    arguments: tuple[Field, ...]
    query: bool
    answer: Type | None
    events: dict[str, str]
    item: str
    update: bool
    idempotent: bool
    comment: str


@dataclass(slots=True)
class Surface:
    """All operations, and the types that they refer to, by name."""

    operations: list[Operation] = field(default_factory=list)
    messages: dict[str, Message] = field(default_factory=dict)
    enums: dict[str, Enum] = field(default_factory=dict)
    codes: tuple[str, ...] = ()
    _sources: dict[str, str] = field(default_factory=dict)

    def add(self, route: Route) -> None:
        """Adds the rpc of a route. Raises ValueError for a type whose short name is taken."""
        method = services.method(route.rpc)
        request = method.input_type
        in_path = {part.name for part in segments(route.template) if isinstance(part, Parameter)}
        arguments = [
            self._field(each, required=each.name in in_path or is_required(each))
            for each in request.fields
            if each.name != updates.MASK
        ]
        # What the path needs comes first.
        arguments.sort(key=lambda argument: (argument.name not in in_path, not argument.required))
        paged = {"items", "next_cursor"} <= {each.name for each in method.output_type.fields}
        self.operations.append(
            Operation(
                name=method.name,
                verb=route.verb,
                template=route.template,
                arguments=tuple(arguments),
                query=not route.body,
                answer=self._answer(route, method),
                events=self._events(route, method),
                item=method.output_type.fields_by_name["items"].message_type.name if paged else "",
                update=updates.is_update(request),
                idempotent=method.GetOptions().idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN,
                comment=comments()[method.full_name],
            )
        )

    def _answer(self, route: Route, method: MethodDescriptor) -> Type | None:
        if route.success == 204 or route.events is not None:
            return None
        if route.response_body:
            return self._type(child_type(method.output_type.fields_by_name[route.response_body]))
        return self._type(method.output_type)

    def _events(self, route: Route, method: MethodDescriptor) -> dict[str, str]:
        if route.events is None:
            return {}
        told = [each for each in method.output_type.fields if each.message_type is not None]
        return {
            "" if each.name == route.response_body else each.name: self._type(child_type(each)).kind for each in told
        }

    def _field(self, descriptor: FieldDescriptor, *, required: bool) -> Field:
        options = descriptor.GetOptions()
        if is_map(descriptor):
            kind = self._kind(descriptor.message_type.fields_by_name["value"])
        else:
            kind = self._kind(descriptor)
        if options.HasExtension(options_pb2.clearing):
            nullable = not options.Extensions[options_pb2.clearing].refused
        else:
            one = not descriptor.is_repeated
            nullable = one and (descriptor.has_presence or descriptor.enum_type is not None) and not required
        many = "map" if is_map(descriptor) else "list" if descriptor.is_repeated else ""
        return Field(descriptor.name, Type(kind, many, nullable), required, comments()[descriptor.full_name])

    def _kind(self, descriptor: FieldDescriptor) -> str:
        if descriptor.message_type is not None:
            if descriptor.message_type.full_name == TIMESTAMP:
                return "timestamp"
            return self._type(child_type(descriptor)).kind
        if descriptor.enum_type is not None:
            return self._enum(descriptor.enum_type)
        if form(descriptor) in _FORMS:
            return _FORMS[form(descriptor)]
        return "bytes" if descriptor.type == FieldDescriptor.TYPE_BYTES else _SCALARS[descriptor.cpp_type]

    def _type(self, descriptor: Descriptor) -> Type:
        if self._new(descriptor):
            self.messages[descriptor.name] = Message(
                descriptor.name, tuple(self._members(descriptor)), comments()[descriptor.full_name]
            )
        return Type(descriptor.name)

    def _members(self, descriptor: Descriptor) -> Iterator[Field]:
        merged = {merged_into(each).name for each in descriptor.fields if form(each) == options_pb2.FORM_MERGED}
        for each in descriptor.fields:
            if form(each) == options_pb2.FORM_INLINE:
                yield from self._members(child_type(each))
            elif each.name in merged:
                # Its entries have values of several types.
                yield Field(each.name, Type("json", "map"), required=False, comment=comments()[each.full_name])
            elif form(each) != options_pb2.FORM_MERGED:
                yield self._field(each, required=False)

    def _enum(self, descriptor: EnumDescriptor) -> str:
        if self._new(descriptor):
            words = tuple(word for word in enum_words(descriptor).values() if word is not None)
            self.enums[descriptor.name] = Enum(descriptor.name, words, comments()[descriptor.full_name])
        return descriptor.name

    def _new(self, descriptor: Descriptor | EnumDescriptor) -> bool:
        known = self._sources.setdefault(descriptor.name, descriptor.full_name)
        if known != descriptor.full_name:
            raise ValueError(f"{descriptor.full_name} and {known} would have the same name in clients")
        return descriptor.name not in self.messages and descriptor.name not in self.enums


@cache
def surface() -> Surface:
    """Returns the surface of the native dialect: each rpc at the first route that it states."""
    found = Surface(codes=tuple(sorted(ingate.codes())))
    seen: set[str] = set()
    for route in native_routes(ingate.NAME):
        if route.rpc not in seen:
            seen.add(route.rpc)
            found.add(route)
    return found
