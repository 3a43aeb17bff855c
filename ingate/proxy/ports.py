"""What the engine asks of the world, as types.

The upstream pool and the built-in demo model both are a `Transport`; the facade
and the gRPC host both are a `Sink`. Nothing here knows HTTP servers, databases
or features.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, Self

from msgspec import Struct

from ingate.formats import Body
from ingate.limits.window import Decision
from ingate.net.addresses import EXCEPT_NEVER, AddressPolicy

Headers = list[tuple[bytes, bytes]]
"""Header pairs in wire order. Names are lower-case; values carry no surrounding blanks."""
BODILESS = frozenset({204, 304})
"""Statuses whose responses have no body, whatever they announce."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a provider answers: scheme (`http` or `https`), host name or address, TCP port.

    No connection is made but to addresses that the policy allows, whatever the name resolves to.
    """

    scheme: str
    host: str
    port: int
    policy: AddressPolicy = EXCEPT_NEVER


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds a request may wait for a connection, for the first response byte, and between two reads."""

    connect: float = 10.0
    first_byte: float = 300.0
    idle: float = 120.0


class Account(Struct, frozen=True):
    """Who asks an origin: an organisation, by its id, with a credential.

    Requests may follow one another on a connection if `lane` is the same: it stands for the origin, the organisation
    and the credential that the origin is shown.
    """

    origin: Origin
    org: str
    lane: bytes

    @classmethod
    def of(cls, origin: Origin, org: str, credential: Headers) -> Self:
        """Returns the account that shows `credential`. It costs a hash: make one where a route is remembered."""
        shared = (origin.scheme, origin.host, origin.port, origin.policy, org, credential)
        return cls(origin, org, hashlib.sha256(repr(shared).encode()).digest())


class OutboundRequest(Struct, frozen=True):
    """One request to a provider, complete: `target` is path and query, `headers` hold everything but framing.

    `key` is the caller's, by its id, whose share of the calls under way is used. `also` are headers of this request
    alone. What is made of the others is remembered: nobody may change them once they were sent. The transport adds
    `host`, `content-length` and `connection`; it never changes `body`.
    """

    method: str
    account: Account
    target: str
    headers: Headers
    body: Body
    timeouts: Timeouts = Timeouts()
    key: str = ""
    also: Headers = []


class Receiver(Protocol):
    """Who takes pieces of a body in the call in which they arrive, without waking a task for each."""

    def accepts(self, size: int) -> bool:
        """Tells whether a piece of that many bytes can be taken now; else it waits to be read."""

    def accept(self, piece: bytes) -> None:
        """Takes a piece for which `accepts` was true."""


class UpstreamResponse(Protocol):
    """A provider's answer whose head has arrived and whose body is read piece by piece.

    `named` are the headers by name, of repeated ones the last. `length` is how many bytes the body is framed to have,
    None where its end shows only when it comes; what a header states is no measure.
    """

    status: int
    headers: Headers
    named: Mapping[bytes, bytes]
    length: int | None

    async def read(self, receiver: Receiver | None = None) -> bytes:
        """Returns the next piece of the body as it arrived, `b""` once at the end, or raises an `UpstreamError`.

        A receiver may be handed pieces while this waits, in their order; what it does not accept is returned.
        """

    def take(self) -> bytes | None:
        """Returns the rest of the body if all of it is here: nothing is left to read or to close. None otherwise."""

    async def aclose(self) -> None:
        """Releases the connection: kept when the body was read to its end, dropped otherwise. May be called twice."""


class Transport(Protocol):
    """Sends a request and returns when the response head is in."""

    async def send(self, request: OutboundRequest) -> UpstreamResponse:
        """Returns the response head, or raises an `UpstreamError`."""


class Meter(Protocol):
    """Counts calls against the limits of keys."""

    def spend(self, key_id: str, per_minute: int, per_hour: int, now_us: int) -> Decision | None:
        """Counts a call of a key in the windows of `now_us`, microseconds since the epoch, unless one is full.

        Returns None where no limit applies.
        """


class UpstreamError(Exception):
    """A provider failed below HTTP.

    UpstreamError
     ├── ConnectFailed      refused, unreachable, unknown host, TLS not verified
     ├── ConnectTimeout     no connection within Timeouts.connect
     ├── FirstByteTimeout   no response head within Timeouts.first_byte
     ├── IdleTimeout        no further body byte within Timeouts.idle
     ├── ConnectionLost     closed or reset before the response head was complete
     │    └── StaleConnection    kept alive, and closed by the provider as it was used again
     ├── BadResponse        what arrived is not HTTP, or breaks a limit
     ├── Truncated          closed or reset inside the body
     ├── ShareUsedUp        the key or its organisation has as many calls under way as it may have
     └── NoRoom             the gateway has as many calls under way as it may have

    `code` is how an attempt that failed so is recorded: the name in lower case, `connect_failed`. `nothing_sent`: the
    provider has certainly read nothing of the request; otherwise it may have, and may ask money for it.
    """

    timeout = False
    nothing_sent = False
    code = ""

    def __init_subclass__(cls) -> None:
        cls.code = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in cls.__name__).lstrip("_")


class ConnectFailed(UpstreamError):
    """The connection could not be made."""

    nothing_sent = True


class ConnectTimeout(UpstreamError):
    """The connection was not made in time."""

    timeout = True
    nothing_sent = True


class FirstByteTimeout(UpstreamError):
    """The request was sent and no response head came in time."""

    timeout = True


class IdleTimeout(UpstreamError):
    """The body stalled."""

    timeout = True


class ConnectionLost(UpstreamError):
    """The connection ended before the response head was complete."""


class StaleConnection(ConnectionLost):
    """A kept-alive connection ended as it was used again. As far as one can tell, the request was not read.

    It was reset, or closed before the request left, or had rested long enough to be closed for that.
    """


class BadResponse(UpstreamError):
    """The answer is not valid HTTP or is larger than the limits allow."""


class Truncated(UpstreamError):
    """The connection ended inside the body."""


class ShareUsedUp(UpstreamError):
    """The key, or its organisation, kept using all of its share of the calls under way."""

    nothing_sent = True


class NoRoom(UpstreamError):
    """All the calls that may be under way, in all or at the origin, stayed under way."""

    nothing_sent = True


class ClientGone(Exception):
    """The caller went away; raised by a sink, never by a transport."""


class Sink(Protocol):
    """The caller's side of one exchange. Each method returns when the bytes are accepted (back-pressure)."""

    @property
    def gone(self) -> bool:
        """Whether the caller is known to have left."""

    def attend(self, grace: Callable[[], float]) -> None:
        """Has the host ask, should the caller leave from now on, for how many seconds the exchange may go on.

        Then the host cancels it; without this, and for 0 seconds, it does so at once.
        """

    def metered(self, decision: Decision) -> None:
        """Notes what the rate window said, to be told with whatever answer follows."""

    async def start(self, status: int, headers: Headers) -> None:
        """Sends the response head. Raises `ClientGone`."""

    async def write(self, chunk: bytes) -> None:
        """Sends a piece of the body. Raises `ClientGone`."""

    @property
    def open(self) -> bool:
        """Whether the host takes a piece of the body at once."""

    def push(self, chunk: bytes) -> None:
        """Sends a piece of the body while `open`."""

    async def end(self) -> None:
        """Completes the body. Raises `ClientGone`."""

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Sends a whole response at once. Raises `ClientGone`."""

    def abort(self) -> None:
        """Ends the response so that the caller can tell it is incomplete."""
