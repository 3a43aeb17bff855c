"""Asking for the usage of a stream that its caller did not ask for, by the smallest edit of the request.

OpenAI and those who speak as it does count a streamed answer only if `stream_options.include_usage` says so. Knows no
provider.
"""

import re

from msgspec import Raw, Struct

from ingate.formats.malformed import MalformedBody
from ingate.formats.members import places
from ingate.formats.paths import Format
from ingate.formats.shape import Shape
from ingate.formats.spliced import Whole

ASKED = frozenset({Format.OPENAI_CHAT, Format.OPENAI_COMPLETIONS})
"""The formats whose streams tell their usage only when they are asked to."""

_MEMBER = b'"stream_options":{"include_usage":true}'
_OPTIONS = b'{"include_usage":true}'
_USAGE = b'"include_usage":true'
_UNASKED = frozenset({b"null", b"false"})
_NAMES = re.compile(rb"stream[ _-]?options|include[ _-]?usage", re.IGNORECASE)


class _Body(Struct, gc=False):
    stream_options: Raw = Raw()


class _Options(Struct, gc=False):
    include_usage: Raw = Raw()


_BODY = Shape(_Body)
_READ = Shape(_Options)


def asking(body: bytes) -> bytes | None:
    """Returns a valid request with `stream_options.include_usage` true, where its caller does not ask for usage.

    Where the options are repeated, the last ones count and are changed. Every other byte stays. None where usage is
    asked for already, where the options are of a type that only the provider can judge, or cannot be found safely.
    """
    read = _BODY.read(body)
    if read is None:
        return None
    if not read.stream_options:
        return inserted(body)
    value = with_usage(bytes(read.stream_options))
    if value is None:
        return None
    place = _last(body, "stream_options", read.stream_options)
    return None if place is None else replaced(body, place, value)


def inserted(body: Whole) -> bytes:
    """Returns a JSON object that has members, and no `stream_options`, with them behind its last member."""
    end = body.rindex(b"}")
    return replaced(body, (end, end), b"," + _MEMBER)


def with_usage(text: bytes) -> bytes | None:
    """Returns the text of stream options with usage asked for; None where it is already, or they are no options."""
    if text == b"null":
        return _OPTIONS
    read = _READ.read(text) if text.startswith(b"{") else None
    if read is None:
        return None
    if not read.include_usage:
        inside = text[1:-1]
        return b"{%b%b%b}" % (inside, b"," if inside.strip() else b"", _USAGE)
    if bytes(read.include_usage) not in _UNASKED:
        return None
    place = _last(text, "include_usage", read.include_usage)
    return None if place is None else replaced(text, place, b"true")


def names_the_option(fault: bytes) -> bool:
    """Tells whether the body of a refusal names what is asked for here, in any of the usual spellings."""
    return _NAMES.search(fault) is not None


def _last(body: bytes, name: str, value: Raw) -> tuple[int, int] | None:
    """Returns where the last value of a member lies, which has that text."""
    found = None
    try:
        for found in places(body, name, value):  # noqa: B007 -- the last one is wanted
            pass
    except MalformedBody:
        return None
    return found if found is not None and body[slice(*found)] == bytes(value) else None


def replaced(text: Whole, place: tuple[int, int], value: bytes) -> bytes:
    """Returns the text with other bytes at a place, from its start to its end."""
    start, end = place
    view = memoryview(text)
    return b"".join((view[:start], value, view[end:]))
