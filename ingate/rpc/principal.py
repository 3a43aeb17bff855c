"""Who is calling. The interceptors put the caller here and servicers read it.

Knows nothing of how a caller proved who they are.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

Kind = Literal["anonymous", "gateway", "user", "key"]


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of one rpc. Ids are UUIDs in text form and empty where they do not apply."""

    kind: Kind = "anonymous"
    """What proved the caller: nothing, the gateway token alone, a session, or a key."""
    org_id: str = ""
    user_id: str = ""
    session_id: str = ""
    key_id: str = ""
    app_id: str = ""
    team_id: str = ""
    role: int = 0
    """A number of `ingate.access.v1.Role`; each may do all that the lower ones may."""
    scopes: frozenset[int] = frozenset()
    """Numbers of `ingate.access.v1.Scope` that a key holds, spelled out: an empty set allows nothing to a key."""
    plan: str = ""
    workspace: str = ""
    """The workspace that a key is confined to."""
    rate_limit: int = 0
    """Requests a minute of a key; 0 for no limit."""
    hourly_limit: int = 0
    """Requests an hour of a key; 0 for no limit."""
    address: str = ""
    """The client's address without a port; empty where unknown, as over a unix socket."""
    request_id: str = ""
    """Correlates log lines and answers; never empty while an rpc runs."""


ANONYMOUS = Principal()

_current: ContextVar[Principal] = ContextVar("principal", default=ANONYMOUS)


def principal() -> Principal:
    """Returns the caller of the rpc that runs in this context; anonymous outside of any."""
    return _current.get()


def set_principal(caller: Principal) -> None:
    """Makes `caller` the caller in this context, which for an rpc is its own task's and ends with it."""
    _current.set(caller)
