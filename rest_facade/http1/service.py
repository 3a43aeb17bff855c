"""What a connection asks of the server that it belongs to, and the bounds that it is given."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ingate.net.budget import BodyBudget
from ingate.net.forwarded import TrustedProxies
from ingate.net.outbox import Outbox
from ingate.net.turns import Turns
from ingate.rpc.status import Failure
from rest_facade.http1.head import Heads

if TYPE_CHECKING:
    from rest_facade.http1.connection import Connection


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a connection, in bytes and seconds.

    `target`: path and query. `head`: request line and headers. `head_time`: from the first byte of a head to its
    last. `idle`: between requests. `stall`: without progress while an answer waits to be read. A new connection whose
    descriptor is `crowded` or above is answered 503, one at `full` or above is dropped: the lowest free number is
    taken, so that all below are in use.
    """

    target: int = 16 * 1024
    head: int = 64 * 1024
    head_time: float = 20.0
    idle: float = 75.0
    stall: float = 120.0
    crowded: int = sys.maxsize
    full: int = sys.maxsize


class Service(Protocol):
    """The server of connections, whose `heads` know who answers.

    `proxies` are those whose word for a caller's address is taken.
    """

    budget: BodyBudget
    heads: Heads
    limits: Limits
    outbox: Outbox
    lingering: Turns
    receiving: Turns
    proxies: TrustedProxies | None
    draining: bool

    def opened(self, connection: "Connection") -> None:
        """A connection was made."""

    def closed(self, connection: "Connection") -> None:
        """A connection is gone."""

    def crowded(self) -> Failure:
        """Returns why a connection is refused that there is no descriptor to spare for."""

    def refusal(self, failure: Failure) -> bytes:
        """Returns the answer to what is no request; it ends the connection."""
