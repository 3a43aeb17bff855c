"""Renaming the model of a request in place, so that every other byte stays as the client sent it.

Knows nothing of providers.
"""

import msgspec
from msgspec import Raw, Struct

from ingate.formats.malformed import MalformedBody
from ingate.formats.members import places
from ingate.formats.shape import Shape


class _Body(Struct, gc=False):
    model: Raw = Raw()


_BODY = Shape(_Body)


def rewrite_model(body: bytes, model: str) -> bytes:
    """Returns the JSON object with the value of its top-level `model` replaced, wherever and however often it is given.

    A body without that key is returned as it is. Raises `MalformedBody` when the body is not a
    JSON object, nests deeper than 64 levels, or repeats the key more than 16 times.
    """
    parsed = _BODY.read(body)
    if parsed is None:
        raise MalformedBody("the body is not a JSON object")
    if not parsed.model:
        return body
    value = msgspec.json.encode(model)
    pieces: list[bytes] = []
    kept = 0
    for start, end in places(body, "model", parsed.model):
        pieces += (body[kept:start], value)
        kept = end
    pieces.append(body[kept:])
    return b"".join(pieces)
