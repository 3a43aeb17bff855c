"""gRPC metadata as it would cross a wire: which pairs are legal and how they look on the other side.

Knows the rules of HTTP/2 metadata only; which keys mean something is for others to know.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple


class Metadatum(NamedTuple):
    """One pair. The value is bytes when the key ends in `-bin`, else a str of printable ASCII."""

    key: str
    value: str | bytes


Metadata = tuple[Metadatum, ...]

_LEGAL_KEY = re.compile(r"[0-9a-z_.\-]+").fullmatch


class InvalidMetadataError(Exception):
    """A key or a value that gRPC cannot send, such as an upper-case key."""


@lru_cache(maxsize=256)
def _is_legal(key: str) -> bool:
    return _LEGAL_KEY(key) is not None


def outgoing(pairs: Iterable[Any] | None) -> Metadata:
    """Returns the pairs as the receiver sees them: values of one key side by side, the rest in order.

    Raises TypeError for a value of the wrong type and InvalidMetadataError for an illegal key or value.
    """
    if not pairs:
        return ()
    received = [_metadatum(key, value) for key, value in pairs]
    keys = [pair[0] for pair in received]
    if len(set(keys)) != len(keys):
        places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
        received.sort(key=lambda pair: places[pair[0]])
    return tuple(received)


def _metadatum(key: Any, value: Any) -> Metadatum:
    if not isinstance(key, str):
        raise TypeError(f"Expected str, not {type(key)}")
    if not _is_legal(key):
        raise InvalidMetadataError(key)
    if key.endswith("-bin"):
        if not isinstance(value, bytes):
            raise TypeError(f'Binary metadata key="{key}" expected bytes, got {type(value)}')
        return Metadatum(key, value)
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    elif not isinstance(value, str):
        raise TypeError(f"Expected str, not {type(value)}")
    if not (value.isascii() and value.isprintable()):
        raise InvalidMetadataError(key)
    return Metadatum(key, value)


def check_trailing(pairs: Any) -> None:
    """Raises TypeError unless `pairs` is an iterable of (str, str | bytes) tuples, as grpc.aio does when it is set."""
    if isinstance(pairs, dict) or not hasattr(pairs, "__iter__") or not all(_is_pair(pair) for pair in pairs):
        raise TypeError(
            f"Invalid trailing metadata type, expected Tuple[Tuple[str, Union[str, bytes]]...]: {pairs}",
        )


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], (str, bytes))
