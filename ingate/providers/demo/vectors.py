"""Embeddings by feature hashing: texts that share words lie near each other. Knows text only, no wire format."""

import base64
import hashlib
import math
import re
import struct
from array import array
from collections import Counter
from collections.abc import Iterable

DEFAULT_DIMENSIONS = 256
MOST_DIMENSIONS = 4096
MOST_NUMBERS = 1_048_576
"""Numbers one answer may hold: vectors times dimensions."""

_WORD = re.compile(r"\w+|[^\w\s]")
_SLOTS = struct.Struct("<8I")


def embed(text: str, dimensions: int) -> list[float]:
    """Returns the unit vector of `text` in 32-bit precision; the empty text has one too."""
    return _vector(_WORD.findall(text.casefold()) or [""], dimensions)


def embed_token_ids(ids: Iterable[int], dimensions: int) -> list[float]:
    """Returns the unit vector of a text given as the numbers of its tokens."""
    return _vector(map(str, ids), dimensions)


def as_base64(vector: list[float]) -> str:
    """Returns the vector as base64 of little-endian 32-bit floats, the form SDKs ask for."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")


def _vector(features: Iterable[str], dimensions: int) -> list[float]:
    sums = [0.0] * dimensions
    for feature, times in Counter(features).items():
        digest = hashlib.blake2b(feature.encode(), digest_size=_SLOTS.size).digest()
        for slot in _SLOTS.unpack(digest):
            sums[(slot >> 1) % dimensions] += times if slot & 1 else -times
    length = math.sqrt(math.fsum(value * value for value in sums))
    if length == 0.0:
        # Signs may cancel out in few dimensions; a unit vector is promised all the same.
        sums[0] = length = 1.0
    # Rounding to 32 bits here makes the two encodings of a vector the same numbers.
    return array("f", (value / length for value in sums)).tolist()
