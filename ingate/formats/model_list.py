"""Listings of models: read as every vendor writes them, written as OpenAI does. Knows no provider."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from ingate.formats.shape import Shape

_PREFIX = "models/"  # before every name of Gemini's
_Moment = Annotated[int, Meta(ge=0, le=2**53)]  # more is no time, and not all who read JSON can hold it


class _Entry(Struct, gc=False):
    id: str | None = None
    name: str | None = None
    created: _Moment | None = None
    created_at: datetime | None = None


class _Listing(Struct, gc=False):
    data: list[_Entry] | None = None  # OpenAI and who follows it, Anthropic
    models: list[_Entry] | None = None  # Gemini, Ollama


class _Model(Struct):
    id: str
    object: str
    created: int
    owned_by: str


class _Written(Struct):
    object: str
    data: list[_Model]


_LISTING = Shape(_Listing)
_encode = msgspec.json.Encoder().encode


def read_model_list(body: bytes) -> list[tuple[str, int]] | None:
    """Returns the models of a provider's listing, each with its creation in Unix time, 0 where that is not told.

    None for what is no listing. Entries without a name are left out.
    """
    listing = _LISTING.read(body)
    if listing is None:
        return None
    entries = listing.data if listing.data is not None else listing.models
    if entries is None:
        return None
    return [
        (name, _created(entry)) for entry in entries if (name := (entry.id or entry.name or "").removeprefix(_PREFIX))
    ]


def _created(entry: _Entry) -> int:
    if entry.created is not None:
        return entry.created
    # Without a zone, it would be taken for local time.
    stamp = entry.created_at
    return int(stamp.timestamp()) if stamp is not None and stamp.tzinfo is not None else 0


def write_model_list(models: Iterable[tuple[str, int, str]]) -> bytes:
    """Returns an OpenAI listing of models: id, creation in Unix time, owner."""
    return _encode(_Written("list", [_Model(id, "model", created, owner) for id, created, owner in models]))
