"""Cursors: the place in a list after which a page begins, as opaque text. Pure.

A cursor carries a digest of its place and of the fingerprint of its list, so that an edited one and one of another list
are refused. The digest has no key: a caller who computes one gets to a place in a list that they may read anyway.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from ingate.errors import BadRequest

Value = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | str
"""What places consist of: numbers that a database can compare with, and text."""

_DIGEST_BYTES = 9
_PLACE_IN_LIST = ("limit", "offset", "cursor", "count", "view")
"""What changes neither which items a list has nor their order."""
_encode = msgspec.json.encode
_decoder = msgspec.json.Decoder(tuple[Value, ...])


def list_fingerprint(request: Any, owner: str) -> bytes:
    """Returns what identifies a list: the request without its place, size and view, and the id of its owner."""
    rest = type(request)()
    rest.CopyFrom(request)
    for name in _PLACE_IN_LIST:
        if name in request.DESCRIPTOR.fields_by_name:
            rest.ClearField(name)
    named = f"{request.DESCRIPTOR.full_name} {owner} "
    return named.encode() + bytes(rest.SerializeToString(deterministic=True))


def encode(place: Sequence[int | str], fingerprint: bytes) -> str:
    """Returns the cursor for a place in a list."""
    text = _encode(place)
    return base64.urlsafe_b64encode(_digest(text, fingerprint) + text).rstrip(b"=").decode()


def decode(cursor: str, kinds: Sequence[type], fingerprint: bytes) -> tuple[int | str, ...]:
    """Returns the place in a cursor, of values of these types. Raises BadRequest for one that the list did not give."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        place = _decoder.decode(raw[_DIGEST_BYTES:])
    except (binascii.Error, ValueError):
        place = ()
    fits = tuple(map(type, place)) == tuple(kinds) and not any(isinstance(it, str) and "\0" in it for it in place)
    # Compared as a whole: the last character of base64 has bits that say nothing.
    if not fits or encode(place, fingerprint) != cursor:
        raise BadRequest.field("cursor", "is not one that this list gave out")
    return place


def _digest(text: bytes, fingerprint: bytes) -> bytes:
    return hashlib.blake2b(text + b" " + fingerprint, digest_size=_DIGEST_BYTES).digest()
