"""Who answers the requests for a path: known when the head is read, and remembered with it."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rest_facade.http1.body import Body
    from rest_facade.http1.connection import Connection
    from rest_facade.http1.head import Head


class Owner(Protocol):
    """Answers requests. `patient`: the rest of a request under way is waited for when the process is to end."""

    @property
    def patient(self) -> bool: ...  # noqa: D102 -- the class says it

    def answer(self, connection: "Connection", head: "Head", body: "Body", /) -> Awaitable[bool]:
        """Answers a request; tells whether the connection may take another one. Never raises but on cancel."""
        ...


class Table(Protocol):
    """Says who answers. `heeded` are the names of headers, in lower case, that say who a caller is to some of them.

    `epoch` differs between a table and what came before it.
    """

    @property
    def epoch(self) -> int: ...  # noqa: D102 -- the class says it

    @property
    def heeded(self) -> frozenset[bytes]: ...  # noqa: D102 -- the class says it

    def owner(self, path: str, /) -> Owner:
        """Returns who answers at a raw path."""
        ...
