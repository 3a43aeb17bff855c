"""How a body is refused by its wire format, or not read."""

from ingate.errors import BadRequest


class MalformedBody(BadRequest):
    """The body is not what its format allows at all: no provider could read it."""


class Unreadable(Exception):
    """The bytes are not what they claim to be, or more than is read. The message says which, for people."""


class TooLarge(Unreadable):
    """The body, or what it unpacks to, costs more than reading one may."""

    def __init__(self) -> None:
        super().__init__("too large")
