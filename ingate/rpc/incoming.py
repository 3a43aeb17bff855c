"""The request of one call: how its bytes are judged, and who holds its message. Knows no callers and no stages."""

from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from ingate.errors import BadRequest, DomainError, TooLarge
from ingate.rpc.connect import MAX_MESSAGE_BYTES
from ingate.rpc.door import MESSAGE_BYTES
from ingate.rpc.fields import LARGE_FIELDS, MAX_FIELDS, crowded
from ingate.rpc.places import Place
from ingate.rpc.services import Rpc


class Undecodable:
    """Stands for a request whose bytes are refused, so that this happens in its turn, behind authentication."""

    __slots__ = ("error",)

    def __init__(self, error: DomainError) -> None:
        self.error = error


class Decoder:
    """Makes messages of bytes, for one rpc: `limit` bytes at most, or those that such an rpc takes without one.

    A message that may be larger than most may have more fields as well.
    """

    __slots__ = ("_descriptor", "_most", "_parse", "_trusted", "limit")

    def __init__(self, rpc: Rpc, limit: int | None) -> None:
        # Gateways send batches of what they have seen, which have bounds of their own.
        self._trusted = rpc.access.gateway
        self._descriptor: Any = rpc.request.DESCRIPTOR
        self._parse = rpc.request.FromString
        self._most = LARGE_FIELDS if limit else MAX_FIELDS
        self.limit = limit or (MAX_MESSAGE_BYTES if self._trusted else MESSAGE_BYTES)

    def __call__(self, raw: bytes) -> Message | Undecodable:
        """Returns the message of some bytes, or what stands for it."""
        if len(raw) > self.limit:
            return Undecodable(TooLarge(f"the request must have at most {self.limit} bytes"))
        try:
            if not self._trusted and (name := crowded(self._descriptor, raw, self._most)) is not None:
                return Undecodable(BadRequest.field(name, "has too many items"))
            return self._parse(raw)
        except DecodeError:
            return Undecodable(BadRequest(f"the request is not a valid {self._descriptor.name}"))


class Incoming:
    """A request, in a box: nobody else holds its message, so that it goes when its servicer is done with it.

    `message` is None until it is received, where that happens late. `place` is what the call takes up until its
    caller is known, on servers that listen.
    """

    __slots__ = ("decoder", "message", "place")

    def __init__(self, message: Message | Undecodable | None, decoder: Decoder) -> None:
        self.message: Any = message
        self.decoder = decoder
        self.place: Place | None = None

    async def receive(self, context: Any) -> None:
        """Receives the message. Raises BadRequest where there is none."""
        raw = await context.read()
        if raw is grpc.aio.EOF:
            raise BadRequest("the call has no request")
        self.message = self.decoder(raw)

    def take(self) -> Any:
        """Returns the message, and lets go of it. Raises what is wrong with it."""
        message, self.message = self.message, None
        if isinstance(message, Undecodable):
            raise message.error
        return message
