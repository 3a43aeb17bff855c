"""How a body is refused by its wire format, or not read."""

from ingate.errors import BadRequest


class MalformedBody(BadRequest):
    """The body is not what its format allows at all: no provider could read it."""


class Unreadable(Exception):
    """The bytes cannot be read here. The message says why, for people."""


class Broken(Unreadable):
    """The bytes are not what they claim to be: no caller can read them either."""


class TooLarge(Unreadable):
    """The body, or what it unpacks to, costs more than reading one may."""

    def __init__(self) -> None:
        super().__init__("too large")
