"""Splitting a byte stream at a separator of one or two bytes. Knows nothing of what lies between."""


class Splitter:
    """Holds at most `limit` bytes of an unfinished block; a longer block is skipped."""

    __slots__ = ("_held", "_limit", "_separator", "_skipping")

    def __init__(self, separator: bytes, limit: int) -> None:
        self._separator = separator
        self._limit = limit
        self._held = bytearray()
        self._skipping = False  # then only the last byte is held, as it may begin the separator

    @property
    def idle(self) -> bool:
        """Whether nothing is held: the next byte begins a block."""
        return not (self._held or self._skipping)

    def feed(self, chunk: bytes) -> list[bytes]:
        """Returns the blocks that the chunk completes, without their separators."""
        first = []
        if self._held or self._skipping:
            after = self._complete(chunk)
            if not after:
                self._hold(chunk)
                return []
            if not self._skipping and len(self._held) <= self._limit:
                first.append(bytes(self._held))
            self._held.clear()
            self._skipping = False
            chunk = chunk[after:]
        blocks = chunk.split(self._separator)
        rest = blocks.pop()
        if len(chunk) > self._limit:
            blocks = [block for block in blocks if len(block) <= self._limit]
        if rest:
            self._hold(rest)
        return first + blocks if first else blocks

    def close(self) -> list[bytes]:
        """Returns what was held as the last block, if anything."""
        last = bytes(self._held).removesuffix(self._separator[:1])
        skipped = self._skipping or len(last) > self._limit
        self._held.clear()
        self._skipping = False
        return [] if skipped or not last else [last]

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
        # The last byte may belong to the separator, so a block of exactly the limit is held one byte longer.
        if self._skipping or len(self._held) > self._limit + len(self._separator) - 1:
            self._skipping = True
            del self._held[:-1]
