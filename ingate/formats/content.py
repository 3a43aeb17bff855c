"""The text of a prompt: a string, a list of strings, or a list of content parts. Knows no particular format."""

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from ingate.formats.facts import MAX_TEXT
from ingate.formats.shape import BROKEN, Shape, crowded

_MAX_QUOTES = 100_000
_REMINDER, _REMINDER_END = "<system-reminder>", "</system-reminder>"


class Part(Struct, gc=False):
    """A piece of content; pieces that are not text have no `text`."""

    text: str | None = None


class _Parts(Struct, gc=False):
    parts: list[Part] | None = None


Content = Annotated[Raw, Meta(extra={"of": str | list[Part]})]
"""What `text_of` reads."""
Strings = Annotated[Raw, Meta(extra={"of": str | list[str]})]
"""What `strings_of` reads."""

_CONTENT: msgspec.json.Decoder[str | list[Part] | None] = msgspec.json.Decoder(str | list[Part] | None)
_STRINGS: msgspec.json.Decoder[str | list[str] | None] = msgspec.json.Decoder(str | list[str] | None)
_PARTS = Shape(_Parts)


def text_of(raw: Raw) -> str | None:
    """Returns the text of a message's content, its text parts joined by newlines; `None` when there is none.

    What coding agents put before or beside a person's words, marked as a reminder of the system, is left out.
    """
    content = _content(raw)
    if isinstance(content, list):
        return joined(_without_reminders(part.text) for part in content)
    return cap(_without_reminders(content))


def size_of(raw: Raw) -> int:
    """Returns how many bytes of UTF-8 the text of a message's content has, all its text parts together."""
    content = _content(raw)
    return _size(part.text for part in content) if isinstance(content, list) else _size((content,))


def _size(texts: Iterable[str | None]) -> int:
    return sum(len(text.encode("utf-8", "replace")) for text in texts if text)


def _content(raw: Raw) -> str | list[Part] | None:
    if not raw or crowded(raw):
        return None
    try:
        return _CONTENT.decode(raw)
    except BROKEN:
        loose = _PARTS.read(b'{"parts":%b}' % bytes(raw))
        return loose.parts if loose else None


def _without_reminders(text: str | None) -> str | None:
    """Returns a text behind the reminders that it begins with, `None` when nothing is behind them."""
    if text is None or not text.lstrip().startswith(_REMINDER):
        return text
    while (text := text.lstrip()).startswith(_REMINDER):
        _, found, text = text.partition(_REMINDER_END)
        if not found:
            return None
    return text or None


def strings_of(raw: Raw) -> str | None:
    """Returns a string, or a list of strings joined by newlines; `None` for anything else."""
    content = _strings(raw)
    return joined(content) if isinstance(content, list) else cap(content)


def size_of_strings(raw: Raw) -> int | None:
    """Returns how many bytes of UTF-8 a string, or a list of strings, has; `None` for anything else."""
    content = _strings(raw)
    return content if content is None else _size(content if isinstance(content, list) else (content,))


def _strings(raw: Raw) -> str | list[str] | None:
    if not raw or crowded(raw, b'"', _MAX_QUOTES):
        return None
    try:
        return _STRINGS.decode(raw)
    except BROKEN:
        return None


def joined(texts: Iterable[str | None]) -> str | None:
    """Returns the texts joined by newlines up to the cap, `None` when there are none."""
    kept: list[str] = []
    room = MAX_TEXT
    for text in texts:
        if text is not None:
            kept.append(text[:room])
            room -= len(text) + 1
            if room <= 0:
                break
    return "\n".join(kept)[:MAX_TEXT] if kept else None


def cap(text: str | None) -> str | None:
    """Returns at most the characters that are kept of a text."""
    return text if text is None or len(text) <= MAX_TEXT else text[:MAX_TEXT]
