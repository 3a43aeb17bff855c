"""What of a JSON text is wanted, as the structs that it is read into state it. Knows no wire format."""

import re
from dataclasses import dataclass, replace
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import Raw, Struct

from ingate.formats.facts import MAX_TEXT
from ingate.formats.tokens import others

_ANY_TEXT = 4096
_ANY_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Outline:
    """What is wanted of one value: of an object some members, of an array its items; and the length of a text in bytes.

    `anything` tells that all members of an object are wanted, as `items` says. `others` matches members that are not.
    A value of a kind that is not wanted is as good as null.
    """

    members: "dict[bytes, Outline] | None" = None
    items: "Outline | None" = None
    text: int = 0
    scalar: bool = False
    anything: bool = False
    others: re.Pattern[bytes] | None = None

    def holds(self, *, is_object: bool) -> bool:
        """Tells whether anything of an object, or of an array, is wanted."""
        if is_object:
            return self.members is not None or self.anything
        return self.items is not None


def _anything(level: int) -> Outline:
    inner = _anything(level - 1) if level else None
    return Outline(items=inner, text=_ANY_TEXT, scalar=True, anything=level > 0)


ANYTHING = _anything(_ANY_DEPTH)


@cache
def outline(kind: Any) -> Outline:
    """Returns what is wanted of a value that is decoded into a type."""
    found = Outline()
    for option in _options(kind):
        if option is Raw:
            return ANYTHING
        if isinstance(option, type) and issubclass(option, Struct):
            fields = msgspec.structs.fields(option)
            members = {field.encode_name.encode(): outline(field.type) for field in fields}
            found = replace(found, members=members, others=others(tuple(members)))
        elif get_origin(option) is list:
            found = replace(found, items=outline(get_args(option)[0]))
        elif option is str:
            # As many characters as are kept, each of them escaped.
            found = replace(found, text=6 * MAX_TEXT)
        elif option is not type(None):
            found = replace(found, scalar=True, text=max(found.text, 64))
    return found


def union(one: Outline, two: Outline) -> Outline:
    """Returns what is wanted of a value of which two readers want something each."""
    members = None
    if one.members is not None or two.members is not None:
        of_one, of_two = one.members or {}, two.members or {}
        nothing = Outline()
        members = {name: union(of_one.get(name, nothing), of_two.get(name, nothing)) for name in {**of_one, **of_two}}
    items = one.items if two.items is None else two.items if one.items is None else union(one.items, two.items)
    return Outline(
        members=members,
        items=items,
        text=max(one.text, two.text),
        scalar=one.scalar or two.scalar,
        anything=one.anything or two.anything,
        others=others(tuple(members)) if members is not None else None,
    )


def _options(kind: Any) -> list[Any]:
    """Returns the types that a value may have; an annotation of what undecoded bytes are made of counts as these."""
    if get_origin(kind) is Annotated:
        inner, *notes = get_args(kind)
        stated = [note.extra["of"] for note in notes if isinstance(note, msgspec.Meta) and note.extra]
        return _options(stated[0] if stated else inner)
    if get_origin(kind) in (Union, UnionType):
        return [option for part in get_args(kind) for option in _options(part)]
    return [kind]
