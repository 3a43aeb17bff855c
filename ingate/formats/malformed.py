"""The one way a request body can be refused by its wire format."""

from ingate.errors import BadRequest


class MalformedBody(BadRequest):
    """The body is not what its format allows at all: no provider could read it."""
