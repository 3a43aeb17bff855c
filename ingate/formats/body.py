"""Gathering a whole body. Knows nothing of what it holds."""

from ingate.formats.encoding import Unreadable

MAX_BODY = 32 * 1024 * 1024
"""Bytes of the longest whole body that is read."""


class Body:
    """Keeps a single piece as it is and copies only when there is a second one."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: bytes | bytearray = b""

    def feed(self, data: bytes) -> None:
        """Takes the next piece. Raises `Unreadable` when the body grows too long."""
        if len(self._held) + len(data) > MAX_BODY:
            self._held = b""
            raise Unreadable(f"the body is longer than {MAX_BODY >> 20} MiB")
        if not self._held:
            self._held = data
            return
        if isinstance(self._held, bytes):
            self._held = bytearray(self._held)
        self._held += data

    def close(self) -> bytes | bytearray:
        """Returns the body."""
        return self._held
