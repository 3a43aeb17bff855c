"""Reading JSON into typed structs when the sender may have used other types.

The fast way is one typed decode. When that fails, every field is tried alone: what fits is
kept, what does not takes its default, and list items that do not fit are left out. Time and memory
stay in proportion to the input: nothing is decoded without a type, a text made of very many objects is not
turned into objects, and after a few hundred values that do not fit no more are tried.
Knows no wire format.
"""

from functools import cache
from types import UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Raw, Struct

from ingate.formats.oddities import mended
from ingate.formats.outline import Outline, outline
from ingate.formats.pace import LARGE

T = TypeVar("T", bound=Struct)

BROKEN = (ValueError, RecursionError)
"""What msgspec raises on bytes it cannot decode: its own errors and UnicodeDecodeError are ValueErrors."""

Buffer = bytes | bytearray | Raw

_MANY = 50_000
_MISFITS = 256


def crowded(data: Buffer, mark: bytes = b"{", most: int = _MANY) -> bool:
    """Tells whether a large text holds more marks (by default objects) than any honest sender's would."""
    return len(data) > LARGE and bytes(data).count(mark) > most


class Misfits:
    """Whether a bounded number, such as a count of tokens, was stated as what it cannot be, since that was last asked.

    One for the process: it is asked before other tasks run.
    """

    def __init__(self) -> None:
        self._any = False

    def note(self) -> None:
        """Takes note of one."""
        self._any = True

    def taken(self) -> bool:
        """Tells whether there were any, and forgets them."""
        found, self._any = self._any, False
        return found


COUNTS = Misfits()


class Shape(Generic[T]):
    """A compiled reader for one struct type."""

    __slots__ = ("_decode", "_kind")

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        self._decode = msgspec.json.Decoder(kind).decode

    def read(self, data: Buffer) -> T | None:
        """Returns the struct, or `None` when the data is not a JSON object or lacks what the struct requires."""
        if len(data) <= LARGE or not crowded(data):
            try:
                return self._decode(data)
            except (msgspec.ValidationError, UnicodeDecodeError):
                data = mended(bytes(data))  # what comes after the first misfit has not been seen yet
            except BROKEN:
                broken = bytes(data)
                data = mended(broken)
                if data is broken:  # it is no JSON at all
                    return None
        return _salvage(data, self._kind, _Patience())

    @property
    def outline(self) -> Outline:
        """What the struct holds of a text."""
        return outline(self._kind)


class _Patience:
    """How many more values that do not fit are looked into."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _MISFITS


def _salvage(data: Buffer, kind: type[T], patience: _Patience) -> T | None:
    try:
        raws = msgspec.json.decode(data, type=_twin(kind))
    except BROKEN:
        return None
    values = {}
    for field in msgspec.structs.fields(kind):
        raw = getattr(raws, field.name)
        value = _fit(raw, field.type, patience) if raw else None
        if value is not None:
            values[field.name] = value
    try:
        return kind(**values)
    except TypeError:  # a required field is missing
        return None


def _fit(raw: Raw, kind: Any, patience: _Patience) -> Any:
    """Returns the value as far as it fits, `None` when it does not: no field distinguishes null from absent."""
    if kind is Raw:
        return raw
    if not patience.left or crowded(raw):
        return None
    try:
        return msgspec.json.decode(raw, type=kind)
    except BROKEN:
        patience.left -= 1
    return _partly(raw, kind, patience)


def _partly(raw: Raw, kind: Any, patience: _Patience) -> Any:
    """Returns what fits of a value that does not as a whole, `None` where nothing does."""
    for option in get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,):
        if isinstance(option, type) and issubclass(option, Struct):
            return _salvage(raw, option, patience)
        if get_origin(option) is list:
            return _fit_items(raw, get_args(option)[0], patience)
        if option is int or getattr(option, "__origin__", None) is int:
            return _whole(raw, option)
    return None


def _whole(raw: Raw, kind: Any) -> Any:
    """Returns a whole number that is spelled as a fraction or in quotes, as writers do that have no integers."""
    try:
        return msgspec.json.decode(raw, type=kind, strict=False)
    except BROKEN:
        if kind is not int:  # a plain one may be anything
            COUNTS.note()
        return None


def _fit_items(raw: Raw, kind: Any, patience: _Patience) -> list[Any] | None:
    if crowded(raw, b",", _MANY):
        return None
    try:
        items = msgspec.json.decode(raw, type=list[Raw])
    except BROKEN:
        return None
    return [value for item in items if (value := _fit(item, kind, patience)) is not None]


@cache
def _twin(kind: type[Struct]) -> type[Struct]:
    """Returns a struct of the same fields, all of them undecoded."""
    fields = msgspec.structs.fields(kind)
    names = {field.name: field.encode_name for field in fields}
    return msgspec.defstruct(kind.__name__, [(field.name, Raw, Raw()) for field in fields], rename=names)
