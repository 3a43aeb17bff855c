"""A provider's error in one line, whichever of the usual ways it is written. Knows no HTTP status."""

import msgspec
from msgspec import Raw, Struct

from ingate.formats.scan import items
from ingate.formats.shape import BROKEN, Buffer, Shape

_MAX = 500


class _Fault(Struct, gc=False):
    type: str | None = None
    code: str | int | None = None
    status: str | None = None
    message: str | None = None
    detail: str | None = None


class _Envelope(Struct, gc=False):
    error: Raw = Raw()


_FAULT = Shape(_Fault)
_ENVELOPE = Shape(_Envelope)
_TEXT = msgspec.json.Decoder(str)
_NULL = msgspec.json.Decoder(None)


def describe(raw: Raw) -> str | None:
    """Returns type and message of an `error` value, `None` when it is absent or null."""
    if not raw or is_null(raw):
        return None
    try:
        return _TEXT.decode(raw)[:_MAX] or "error"
    except BROKEN:
        return _line(raw) or "error"


def describe_body(data: Buffer) -> str | None:
    """Returns type and message of a whole object that is an error or holds one, `None` when it says nothing."""
    envelope = _ENVELOPE.read(data)
    if envelope is None:
        return None
    return describe(envelope.error) or _line(data)


def stated(data: Buffer) -> tuple[str, str]:
    """Returns code and message of an error, or of the object or array that holds one; empty where it states none."""
    first = next(items(bytes(data)), None)  # Google's compatible API puts it into an array
    whole = data if first is None else first
    envelope = _ENVELOPE.read(whole)
    error = whole if envelope is None or not envelope.error or is_null(envelope.error) else envelope.error
    try:
        return "", _TEXT.decode(error)[:_MAX]
    except BROKEN:
        fault = _FAULT.read(error)
    if fault is None:
        return "", ""
    code = next((str(name) for name in (fault.code, fault.type, fault.status) if name), "")
    return code[:_MAX], (fault.message or fault.detail or "")[:_MAX]


def is_null(raw: Raw) -> bool:
    """Tells whether a value is JSON null."""
    try:
        _NULL.decode(raw)
    except BROKEN:
        return False
    return True


def _line(data: Buffer) -> str | None:
    fault = _FAULT.read(data)
    if fault is None:
        return None
    kind = next((str(name) for name in (fault.type, fault.status, fault.code) if name and name != "error"), "")
    message = fault.message or fault.detail or ""
    return ": ".join(part for part in (kind, message) if part)[:_MAX] or None
