"""How names and values look in a dialect's JSON. Knows descriptors; neither reads nor writes messages."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from gen.ingate.options.v1 import options_pb2

_UNDERSCORE = re.compile("_([a-z0-9])")
_HYPHENATED = frozenset({"ingate.providers.v1.ProviderType"})
_CAPITAL = frozenset({"ingate.exchanges.v1.Cache"})


@dataclass(frozen=True, slots=True)
class Style:
    """One dialect's way of writing.

    `names` overrides the JSON name of a field by its full name. `omit_unset` leaves out what is null.
    `millis` writes timestamps with exactly three digits of fraction.
    """

    camel: bool = False
    omit_unset: bool = False
    millis: bool = False
    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


SNAKE = Style()


def json_name(descriptor: FieldDescriptor, style: Style) -> str:
    """Returns the key of a field."""
    renamed = style.names.get(descriptor.full_name)
    if renamed is not None:
        return renamed
    return descriptor.camelcase_name if style.camel else descriptor.name


def wire_path(path: str, renames: Mapping[str, str], style: Style) -> str:
    """Returns a field path as the core states it, such as `start_time` or `scopes[1]`, in the caller's names."""
    for wire, name in renames.items():
        if path == name or path.startswith((f"{name}.", f"{name}[")):
            return wire + path.removeprefix(name)
    return _UNDERSCORE.sub(lambda match: match[1].upper(), path) if style.camel else path


def form(descriptor: FieldDescriptor) -> int:
    """Returns the `Form` stated for a field, FORM_UNSPECIFIED where none is."""
    return int(descriptor.GetOptions().Extensions[options_pb2.form])


def child_type(descriptor: FieldDescriptor) -> Descriptor:
    """Returns the type of a message field. Raises TypeError for types that have no JSON form here."""
    child = descriptor.message_type
    if child is None or child.full_name.startswith("google.protobuf."):
        raise TypeError(f"{descriptor.full_name} has no JSON form here")
    return child


def is_map(descriptor: FieldDescriptor) -> bool:
    """Tells a map from other repeated fields."""
    return descriptor.message_type is not None and descriptor.message_type.GetOptions().map_entry


def merged_into(descriptor: FieldDescriptor) -> FieldDescriptor:
    """Returns the map field among whose entries those of a FORM_MERGED field appear."""
    fields = descriptor.containing_type.fields if descriptor.containing_type is not None else ()
    return next(field for field in fields[descriptor.index - 1 :: -1] if is_map(field))


@cache
def enum_words(descriptor: EnumDescriptor) -> dict[int, str | None]:
    """Returns number → word: the name without the enum's prefix; None for the zero that states nothing.

    In lower case, but where it is the word of a header: `HIT`.
    """
    prefix = _upper_snake(descriptor.name) + "_"
    words: dict[int, str | None] = {}
    for value in descriptor.values:
        word = value.name.removeprefix(prefix)
        if descriptor.full_name not in _CAPITAL:
            word = word.lower()
        if descriptor.full_name in _HYPHENATED:
            word = word.replace("_", "-")
        words[value.number] = None if value.number == 0 and word.lower() == "unspecified" else word
    return words


@cache
def enum_numbers(descriptor: EnumDescriptor) -> dict[str, int]:
    """Returns word → number for input, where hyphens and underscores are the same."""
    numbers = {}
    for number, word in enum_words(descriptor).items():
        if word is not None:
            numbers[word] = number
            numbers.setdefault(word.replace("_", "-"), number)
            numbers.setdefault(word.replace("-", "_"), number)
    return numbers


def _upper_snake(camel: str) -> str:
    return "".join("_" + char if char.isupper() and index else char for index, char in enumerate(camel)).upper()
