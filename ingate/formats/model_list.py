"""Listings of models: read as every vendor writes them, written in the words of any. Knows no provider."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from ingate.formats.shape import Shape
from ingate.formats.vendors import Vendor

_PREFIX = "models/"  # before every name of Gemini's
_Moment = Annotated[int, Meta(ge=0, le=2**53)]  # more is no time, and not all who read JSON can hold it
_LAST = datetime(9999, 12, 31, tzinfo=UTC)
_CHATS = ("generateContent",)


class Listed(Struct, frozen=True):
    """A model: its name, its creation in Unix time (0: not told), whose it is, what Gemini's methods do with it."""

    id: str
    created: int = 0
    owner: str = ""
    methods: tuple[str, ...] = ()


class _Entry(Struct, gc=False, rename={"methods": "supportedGenerationMethods"}):
    id: str | None = None
    name: str | None = None
    created: _Moment | None = None
    created_at: datetime | None = None
    methods: list[str] | None = None


class _Listing(Struct, gc=False):
    data: list[_Entry] | None = None  # OpenAI and who follows it, Anthropic
    models: list[_Entry] | None = None  # Gemini, Ollama


_LISTING = Shape(_Listing)
_encode = msgspec.json.Encoder().encode


def read_model_list(body: bytes) -> list[Listed] | None:
    """Returns the models of a provider's listing, without an owner.

    None for what is no listing. Entries without a name are left out.
    """
    listing = _LISTING.read(body)
    if listing is None:
        return None
    entries = listing.data if listing.data is not None else listing.models
    if entries is None:
        return None
    return [
        Listed(name, _created(entry), methods=tuple(entry.methods or ()))
        for entry in entries
        if (name := (entry.id or entry.name or "").removeprefix(_PREFIX))
    ]


def _created(entry: _Entry) -> int:
    if entry.created is not None:
        return entry.created
    # Without a zone, it would be taken for local time.
    stamp = entry.created_at
    return int(stamp.timestamp()) if stamp is not None and stamp.tzinfo is not None else 0


def write_model(model: Listed, vendor: Vendor) -> bytes:
    """Returns one model as it stands in a listing, and as it is described alone."""
    return _encode(_entry(model, vendor))


def write_model_list(models: dict[str, bytes], vendor: Vendor) -> bytes:
    """Returns a listing of models, each as `write_model` writes it under its name, all of them in one page."""
    entries = b"[%b]" % b",".join(models.values())
    if vendor in (Vendor.GEMINI, Vendor.OLLAMA):
        return b'{"models":%b}' % entries
    if vendor is Vendor.OPENAI:
        return b'{"object":"list","data":%b}' % entries
    ends = (next(iter(models), None), next(reversed(models), None))
    return b'{"data":%b,"has_more":false,"first_id":%b,"last_id":%b}' % (entries, *map(_encode, ends))


def _entry(model: Listed, vendor: Vendor) -> dict[str, Any]:
    if vendor is Vendor.OPENAI:
        return {"id": model.id, "object": "model", "created": model.created, "owned_by": model.owner}
    if vendor is Vendor.GEMINI:
        return {
            "name": _PREFIX + model.id,
            "version": "",
            "displayName": model.id,
            "description": f"Of the provider {model.owner}.",
            "supportedGenerationMethods": model.methods or _CHATS,
        }
    if vendor is Vendor.ANTHROPIC:
        return {
            "type": "model",
            "id": model.id,
            "display_name": model.id,
            "created_at": _stamp(model.created),
            "lifecycle": "active",
        }
    return {
        "name": model.id,
        "model": model.id,
        "modified_at": _stamp(model.created),
        "size": 0,
        "digest": "",
        "details": {"format": "", "family": "", "families": [], "parameter_size": "", "quantization_level": ""},
    }


def _stamp(created: int) -> str:
    return datetime.fromtimestamp(min(created, int(_LAST.timestamp())), UTC).isoformat().replace("+00:00", "Z")
