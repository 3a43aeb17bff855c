"""Making a small JSON text of one of any size: what an outline wants of it, and nothing else.

Memory is bounded whatever comes: long texts are cut, very long arrays keep their beginning and end. Structure is
followed, not judged: what is no JSON may pass. Data may be divided anywhere.

Where a match is used unchecked (`type: ignore[union-attr]`), it cannot fail: the pattern also matches the empty
string, or the byte at hand has been looked at already.
"""

from collections.abc import Callable, Iterator

import msgspec
from msgspec import Raw

from ingate.formats.kept import Kept
from ingate.formats.outline import Outline
from ingate.formats.pace import SLICE, Budget
from ingate.formats.scan import MAX_DEPTH
from ingate.formats.tokens import (
    BLANKS,
    BRACKETS,
    FLAT_RUN,
    INSIDE_STRING,
    KEY,
    KEY_ROOM,
    MAX_NUMBER,
    PLAIN_SCALAR,
    RUN,
    SCALAR,
    SEPARATORS,
    plain_key,
    trimmed,
)

_QUOTE, _BACKSLASH, _COLON = b'"\\:'
_OPEN_OBJECT, _CLOSE_OBJECT, _OPEN_ARRAY, _CLOSE_ARRAY = b"{}[]"
_NULL = b"null"
ESCAPED = 6
"""Bytes of a character at most."""
_WINDOW = 4096  # what one regular expression is matched with: it may look at the same bytes three times
_whole_string = msgspec.json.Decoder(Raw).decode


_State = Callable[["Condenser", bytes, int], int]
"""Reads on from a place of the data; returns where it has come to. A function, for a bound method would be a cycle."""


class Condenser:
    """Reads one value.

    `ended` tells that it was complete, `broken` that it is no JSON, `deepest` how deep it nests, exactly where that is
    more than 64 levels.
    """

    __slots__ = (
        "_base",
        "_budget",
        "_cut",
        "_depth",
        "_held",
        "_marks",
        "_owed",
        "_plain",
        "_room",
        "_root",
        "_stack",
        "_start",
        "_state",
        "_text",
        "_then",
        "_wanted",
        "broken",
        "deepest",
        "ended",
        "places",
    )

    def __init__(
        self, outline: Outline, budget: Budget, marks: tuple[bytes, ...] = (), *, plain: int = ESCAPED
    ) -> None:
        """Takes what is wanted. `places` will tell where the values of the members `marks` lie, where they are wanted.

        The outline may want of each a text or a number, or nothing. Of the room for a text, which is for characters
        that take six bytes each, escaped, one of a long plain text uses up `plain` bytes.
        """
        self._plain = plain
        self._budget = budget
        self._marks = marks
        self._wanted: Outline | None = outline
        self._root = b""
        self._stack: list[Kept] = []
        self._state: _State = Condenser._value
        self._then: _State | None = None  # what follows a string that is no value
        self._held = b""  # a token that is not complete yet
        self._base = 0  # where the data that is being read begins
        self._start = 0  # where the value begins that was reached last
        self._depth = 0  # of what is passed over
        self._text: list[bytes] | None = None  # the string under way, if it is wanted
        self._room = 0
        self._cut = False
        self._owed = 0
        self.broken = False
        self.ended = False
        self.deepest = 0
        self.places: list[list[tuple[int, int]]] = [[] for _ in marks]

    def feed(self, data: bytes) -> Iterator[None]:
        """Takes the next bytes, `SLICE` at most. Raises `TooLarge`."""
        if self._held:
            data = self._held + data
            self._held = b""
        at, end = 0, len(data)
        while at < end and not self.broken:
            at = self._state(self, data, at)
            owed, self._owed = self._owed, 0
            if self._budget.spend(1 + owed):
                yield
        self._base += end - len(self._held)

    def close(self) -> bytes:
        """Returns the small text. Of a value that was cut off, it holds what was there."""
        if self._text is not None and not self.ended:
            self._put_text()
        while self._stack:
            self._end(0)
        return self._root

    def _value(self, data: bytes, at: int) -> int:
        at = BLANKS.match(data, at).end()  # type: ignore[union-attr]
        if at == len(data):
            return at
        self._start = self._base + at
        wanted, char = self._wanted, data[at]
        if char == _QUOTE:
            self._room = wanted.text if wanted is not None else 0
            self._text = [] if self._room else None
            self._cut = False
            self._state = Condenser._string
            return at + 1
        if char in (_OPEN_OBJECT, _OPEN_ARRAY):
            is_object = char == _OPEN_OBJECT
            if wanted is not None and wanted.holds(is_object=is_object):
                self._stack.append(Kept(wanted, is_object=is_object))
                self._state = Condenser._member if is_object else Condenser._item
                self._deepen(0)
            else:
                self._depth = 1
                self._state = Condenser._pass
                self._deepen(1)
            return at + 1
        found = SCALAR.match(data, at)
        if found is None:
            self.broken = True
            return at
        return self._scalar(data, at, found.end())

    def _scalar(self, data: bytes, at: int, stop: int) -> int:
        """Takes a number, `true`, `false` or `null`."""
        if stop == len(data):
            if stop - at <= MAX_NUMBER:
                return self._hold(data, at)
            self._state = Condenser._long_scalar
            return stop
        wanted = self._wanted
        short = wanted is not None and wanted.scalar and stop - at <= MAX_NUMBER
        self._put(data[at:stop] if short and PLAIN_SCALAR.fullmatch(data, at, stop) else _NULL, stop)
        return stop

    def _long_scalar(self, data: bytes, at: int) -> int:
        found = SCALAR.match(data, at)
        stop = found.end() if found else at
        self._owed = (stop - at) >> 5
        if stop < len(data):
            self._put(_NULL, stop)
        return stop

    def _member(self, data: bytes, at: int) -> int:
        """Reads the next key, or the end of the object."""
        kept = self._stack[-1]
        passed = kept.outline.others
        if passed is not None:
            stop = passed.match(data, at).end()  # type: ignore[union-attr]
            self._owed = (stop - at) >> 5
            at = stop
        at = SEPARATORS.match(data, at).end()  # type: ignore[union-attr]
        if at == len(data):
            return at
        if data[at] != _QUOTE:
            if data[at] != _CLOSE_OBJECT:
                self.broken = True
                return at
            self._end(at + 1)
            return at + 1
        found = KEY.match(data, at)
        if found is not None:
            kept.key = plain_key(found[1])
            self._wanted = kept.wanted()
            self._state = Condenser._value
            return found.end()
        if len(data) - at <= KEY_ROOM:
            return self._hold(data, at)
        # Too long a key to be one that is wanted.
        kept.key = b""
        self._then = Condenser._colon
        self._state = Condenser._string
        return at + 1

    def _colon(self, data: bytes, at: int) -> int:
        at = BLANKS.match(data, at).end()  # type: ignore[union-attr]
        if at == len(data):
            return at
        self.broken = data[at] != _COLON
        self._wanted = None
        self._state = Condenser._value
        return at + 1

    def _item(self, data: bytes, at: int) -> int:
        """Reads the next item, or the end of the array."""
        at = SEPARATORS.match(data, at).end()  # type: ignore[union-attr]
        if at == len(data):
            return at
        if data[at] == _CLOSE_ARRAY:
            self._end(at + 1)
            return at + 1
        self._wanted = self._stack[-1].outline.items
        self._state = Condenser._value
        return self._value(data, at)

    def _string(self, data: bytes, at: int) -> int:
        quote = data.find(b'"', at)
        end = len(data)
        if quote < 0:
            stop, closed = end, False
            if data[-1] == _BACKSLASH and (end - max(at, len(data.rstrip(b"\\")))) % 2:
                stop -= 1  # it escapes what comes next
            self._owed = (stop - at) >> 10
        elif quote == at or data[quote - 1] != _BACKSLASH:
            stop, closed = quote, True
            self._owed = (stop - at) >> 10
        elif not at and end > _WINDOW and _goes_on(data):
            stop, closed = end, False
            self._owed = end >> 10
        else:
            stop = INSIDE_STRING.match(data, at, min(end, at + _WINDOW)).end()  # type: ignore[union-attr]
            closed = stop < end and data[stop] == _QUOTE
            self._owed = (stop - at) >> 5
        if self._text is not None:
            self._cut = self._cut or stop - at > self._room
            piece = data[at : min(stop, at + self._room)]
            self._room = max(0, self._room - self._taken(piece))
            if piece:
                self._text.append(piece)
        if not closed:
            return stop if quote >= 0 else self._hold(data, stop)
        if self._then is not None:
            self._state, self._then = self._then, None
        elif self._text is None:
            self._put(_NULL, stop + 1)
        else:
            self._put_text(stop + 1)
        return stop + 1

    def _taken(self, piece: bytes) -> int:
        """Returns how much of the room a piece of text takes: near its end, no more than the piece has."""
        size = len(piece)
        if self._room <= SLICE:
            return size
        if b"\\" not in piece and piece.isascii():
            return size * self._plain
        if self._plain < ESCAPED or size < _WINDOW:
            return size
        # An escape has six bytes at most, and one in two may be the other half of a character.
        characters = len(piece.decode("utf-8", "ignore")) - ESCAPED * piece.count(b"\\")
        return max(size, characters * ESCAPED)

    def _pass(self, data: bytes, at: int) -> int:
        """Goes on in what is not wanted."""
        window = min(len(data), at + _WINDOW)
        run = RUN if self._depth + len(self._stack) <= MAX_DEPTH - 2 else FLAT_RUN
        stop = run.match(data, at, window).end()  # type: ignore[union-attr]
        self._owed = (stop - at) >> 5
        if stop == window:
            return stop
        char = data[stop]
        if char == _QUOTE:
            self._then = Condenser._pass
            self._state = Condenser._string
            return stop + 1
        # Of brackets side by side, all are taken at once.
        end = BRACKETS.match(data, stop).end()  # type: ignore[union-attr]
        if char in (_OPEN_OBJECT, _OPEN_ARRAY):
            self._owed += 8 + ((end - stop) >> 5)
            self._depth += end - stop
            self._deepen(self._depth)
            return end
        end = min(end, stop + self._depth)
        self._depth -= end - stop
        if not self._depth:
            self._put(_NULL, end)
        return end

    def _nothing(self, data: bytes, at: int) -> int:
        """Expects nothing but blanks behind the value."""
        at = BLANKS.match(data, at).end()  # type: ignore[union-attr]
        self.broken = at < len(data)
        return at

    def _hold(self, data: bytes, at: int) -> int:
        """Keeps what is not complete until more comes."""
        self._held = data[at:]
        return len(data)

    def _deepen(self, more: int) -> None:
        self.deepest = max(self.deepest, len(self._stack) + more)

    def _put_text(self, stop: int = 0) -> None:
        text = b"".join(self._text or ())
        self._text = None
        self._put(b'"%b"' % (trimmed(text) if self._cut or not stop else text), stop)

    def _end(self, stop: int) -> None:
        """Ends the innermost object or array."""
        text, weight = self._stack.pop().end()
        self._put(text, stop, weight)

    def _put(self, text: bytes, stop: int, weight: int = 0) -> None:
        """Takes a value that is over."""
        if not self._stack:
            self._root = text
            self.ended = stop > 0
            self._state = Condenser._nothing
            return
        kept = self._stack[-1]
        if kept.is_object:
            if kept.key in self._marks and kept.key in (kept.outline.members or ()):
                self.places[self._marks.index(kept.key)].append((self._start, self._base + stop))
            self._state = Condenser._member
        else:
            self._state = Condenser._item
        if kept.wanted() is not None:
            kept.put(text, weight or len(text))


def _goes_on(data: bytes) -> bool:
    """Tells whether a string that has begun before the data goes on behind it; no is not certain.

    Asked once for a slice: a parser looks at a byte in a tenth of the time that a regular expression takes where many
    characters are escaped, and fails at a quote that is not.
    """
    try:
        _whole_string(b'"%b"' % data)
    except ValueError:
        return False
    return True
