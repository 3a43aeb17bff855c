"""What is kept of objects and arrays while they are read: bounded, and put together when they end. Knows no input."""

from collections import deque

from ingate.formats.outline import Outline

HALF = 384 * 1024
"""Bytes that are kept of the beginning of an array, and of its end: what lies between is left out."""

_ENTRY = 64  # what one value costs beside its bytes: very many small ones must not pass for little
_ANY_MEMBERS = 32


class Kept:
    """One object or array under way."""

    __slots__ = ("_head", "_members", "_tail", "_tail_weight", "is_object", "key", "outline", "weight")

    def __init__(self, outline: Outline, *, is_object: bool) -> None:
        self.outline = outline
        self.is_object = is_object
        self.key = b""
        self.weight = _ENTRY
        self._members: dict[bytes, bytes] = {}
        self._head: list[bytes] = []
        self._tail: deque[tuple[bytes, int]] = deque()
        self._tail_weight = 0

    def wanted(self) -> Outline | None:
        """Returns what is wanted of the member whose key was read, or of the next item; `None` when it is not."""
        outline = self.outline
        if not self.is_object:
            return outline.items
        if outline.members is not None:
            return outline.members.get(self.key)
        return outline.items if len(self._members) < _ANY_MEMBERS else None

    def put(self, text: bytes, weight: int) -> None:
        """Takes the value of the member or the next item. Of a member that is repeated, the last counts."""
        if self.is_object:
            self._members[self.key] = text
            self.weight += weight + _ENTRY
        elif not self._tail and self.weight + weight <= HALF:
            self._head.append(text)
            self.weight += weight + _ENTRY
        else:
            self._tail.append((text, weight + _ENTRY))
            self._tail_weight += weight + _ENTRY
            while self._tail_weight > HALF and len(self._tail) > 1:
                self._tail_weight -= self._tail.popleft()[1]

    def end(self) -> tuple[bytes, int]:
        """Returns the object or array as JSON, and its weight."""
        weight = self.weight + self._tail_weight
        if self.is_object:
            return b"{%b}" % b",".join([b'"%b":%b' % member for member in self._members.items()]), weight
        return b"[%b]" % b",".join(self._head + [text for text, _ in self._tail]), weight
