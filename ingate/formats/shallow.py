"""The members of a JSON object, with a proof that it does not nest too deep: in one pass, where both alone take three.

A parser goes through the upper levels and leaves the values below them unread. Most are strings, which nest no further,
and the others are short. Where it cannot tell, others judge.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import msgspec
from msgspec import Raw

from ingate.formats.nesting import deeper_than
from ingate.formats.shape import BROKEN

_MOST = 3000
"""Commas of a text that is read so: each may cost an object, and no sender is to choose what reading a body costs."""
_SHORT = 1024

_Scalar = str | int | float | bool | None
_One = list[Raw] | dict[str, Raw] | _Scalar
_Two = list[_One] | dict[str, _One] | _Scalar
_Three = list[_Two] | dict[str, _Two] | _Scalar
_three_levels = msgspec.json.Decoder(_Three).decode
_two_levels = msgspec.json.Decoder(_Two).decode


def members(body: bytes, levels: int) -> dict[str, Any] | None:
    """Returns the members of a JSON object that holds no value inside more than `levels` arrays and objects.

    `None` of any other text, and where it takes more than a glance to tell. Text that is passed over need not be UTF-8.
    """
    if body.count(b",") > _MOST:
        return None
    try:
        value = _three_levels(body)
    except BROKEN:
        return None
    if type(value) is not dict or any(_deeper(text, levels - 3) for text in _unread(value, 3)):
        return None
    return value


def _deeper(text: bytes, levels: int) -> bool:
    """Tells whether an array or object nests deeper than `levels`."""
    if len(text) > _SHORT:
        try:
            value = _two_levels(text)
        except BROKEN:
            return deeper_than(text, levels)
        return any(deeper_than(inner, levels - 2) for inner in _unread(value, 2))
    return deeper_than(text, levels)


def _unread(value: Any, depth: int) -> Iterator[bytes]:
    """Returns the arrays and objects that were left unread below so many levels of a value."""
    level: Any = (value,)
    for _ in range(depth):
        level = chain.from_iterable(
            one.values() if type(one) is dict else one for one in level if type(one) is dict or type(one) is list
        )
    return (text for text in map(bytes, level) if text[0] in b"[{")
