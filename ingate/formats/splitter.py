"""Splitting a byte stream at a separator of one or two bytes. Knows nothing of what lies between."""


class Splitter:
    """Holds about `limit` bytes of an unfinished block.

    A longer block is handed on as it comes. After each call, `ending` is what came of the block that was long before
    it, `over` tells that this was the last of it, and `beginning` is what is there of one that has become long.
    """

    __slots__ = ("_held", "_limit", "_long", "_separator", "beginning", "ending", "over")

    def __init__(self, separator: bytes, limit: int) -> None:
        self._separator = separator
        self._limit = limit
        self._held = bytearray()
        self._long = False  # then only the last byte is held, as it may begin the separator
        self.ending = b""
        self.over = False
        self.beginning = b""

    @property
    def idle(self) -> bool:
        """Whether nothing is held: the next byte begins a block."""
        return not (self._held or self._long)

    @property
    def passing(self) -> bool:
        """Whether a long block is under way."""
        return self._long

    @property
    def long(self) -> bool:
        """Whether the last call had to do with a long block."""
        return bool(self.over or self.ending or self.beginning)

    def feed(self, chunk: bytes) -> list[bytes]:
        """Returns the blocks that the chunk completes, without their separators."""
        self.ending = self.beginning = b""
        self.over = False
        if self._long:
            text = bytes(self._held) + chunk
            self._held.clear()
            self.ending, separator, chunk = text.partition(self._separator)
            if not separator:
                self.ending = self._but_the_last(text)
                return []
            self.over = True
            self._long = False
        first = []
        if self._held:
            after = self._complete(chunk)
            if not after:
                self._hold(chunk)
                return []
            first.append(bytes(self._held))
            self._held.clear()
            chunk = chunk[after:]
        blocks = chunk.split(self._separator)
        rest = blocks.pop()
        if rest:
            self._hold(rest)
        return first + blocks if first else blocks

    def close(self) -> list[bytes]:
        """Returns what was held as the last block, if anything."""
        self.ending = self.beginning = b""
        self.over = self._long
        last = bytes(self._held).removesuffix(self._separator[:1])
        self._held.clear()
        if self._long:
            self.ending = last
            self._long = False
            return []
        return [last] if last else []

    def _complete(self, chunk: bytes) -> int:
        """Completes the held block if the chunk ends it; returns where the chunk goes on, 0 when it does not end it."""
        separator = self._separator
        if len(separator) > 1 and self._held.endswith(separator[:1]) and chunk.startswith(separator[1:]):
            del self._held[-1:]
            return 1
        end = chunk.find(separator)
        if end < 0:
            return 0
        self._held += chunk[:end]
        return end + len(separator)

    def _hold(self, data: bytes) -> None:
        self._held += data
        if len(self._held) > self._limit:
            text = bytes(self._held)
            self._held.clear()
            self._long = True
            self.beginning = self._but_the_last(text)

    def _but_the_last(self, text: bytes) -> bytes:
        """Returns the text, its last byte held back if it may begin the separator."""
        if len(self._separator) > 1 and text.endswith(self._separator[:1]):
            self._held += text[-1:]
            return text[:-1]
        return text
