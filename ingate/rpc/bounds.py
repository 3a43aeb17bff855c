"""The bounds of a field in its `buf.validate` annotation, for documents and for checks before a call."""

from functools import cache
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from msgspec import Struct

from gen.buf.validate import validate_pb2

_RULES: Any = validate_pb2.field


class Bounds(Struct, frozen=True):
    """What a field may hold; 0, empty and None stand for no bound.

    Lengths are characters of text, bytes, items of a list or entries of a map. `pattern` is a regular expression (RE2)
    for text, which states its own anchors.
    """

    least_length: int = 0
    most_length: int = 0
    pattern: str = ""
    least: int | float | None = None
    most: int | float | None = None


@cache
def bounds(field: FieldDescriptor) -> Bounds:
    """Returns the bounds of a field, of a list or map those of its length."""
    rules = field.GetOptions().Extensions[_RULES]
    kind = rules.WhichOneof("type")
    if kind is None or kind == "enum":
        return Bounds()
    stated = getattr(rules, kind)
    if kind == "repeated":
        return Bounds(stated.min_items, stated.max_items)
    if kind == "map":
        return Bounds(stated.min_pairs, stated.max_pairs)
    if kind in {"string", "bytes"}:
        return Bounds(stated.min_len, stated.max_len, stated.pattern if kind == "string" else "")
    least, most = (getattr(stated, name) if stated.HasField(name) else None for name in ("gte", "lte"))
    return Bounds(least=least, most=most)
