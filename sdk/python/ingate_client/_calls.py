"""What sync and async clients share: how a call becomes a request, an answer a value, and when to try again. Pure."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
from msgspec import UNSET, UnsetType

from ingate_client import errors
from ingate_client._events import Event
from ingate_client._failures import ApiError, ConnectionFailed, IngateError, UnexpectedAnswer, parsed

__all__ = ["UNSET", "UnsetType"]

KEY = "X-Ingate-Key"
REQUEST_ID = "X-Ingate-Request-Id"
RESUME = "Last-Event-ID"
STREAM_TIMEOUT = 60.0
"""Seconds without a byte after which a stream of events is taken for broken; the gateway's heartbeat is 15."""
FORWARD_TIMEOUT = 600.0
"""Seconds without a byte of a provider's answer."""

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_TRANSIENT = frozenset({429, 502, 503, 504})
_CONTENT_TYPE = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Operation:
    """An rpc at its route. `query` tells where arguments go that are not in the path: the query or a JSON body.

    `clears` tells that None is sent, as null; elsewhere it is the same as absent. `answer` is the type of the answer,
    None for none; `events` are the types of a stream's data by the events' names.
    """

    verb: str
    template: str
    query: bool
    idempotent: bool
    clears: bool = False
    answer: Any = None
    events: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, but for the address and the credential."""

    verb: str
    path: str
    params: Mapping[str, Any] | None
    content: bytes | None
    headers: Mapping[str, str]


def credential(key: str, token: str) -> dict[str, str]:
    """Returns the headers of a key or a session token. Raises ValueError for both at once."""
    if key and token:
        raise ValueError("a client has a key or a session token, not both")
    return {KEY: key} if key else {"Authorization": f"Bearer {token}"} if token else {}


def prepared(operation: Operation, arguments: Mapping[str, Any], last_id: str = "") -> Call:
    """Returns the request of a call, without what is not stated. Raises ValueError for what is no id in the path."""
    absent = (UNSET,) if operation.clears else (UNSET, None)
    stated = {name: msgspec.to_builtins(value) for name, value in arguments.items() if value not in absent}
    parts = []
    for part in operation.template.split("/"):
        if part.startswith("{"):
            value = str(stated.pop(part[1:-1]))
            if value in {"", ".", ".."}:
                raise ValueError(f"{part[1:-1]} must be an id or a name, not {value!r}")
            parts.append(quote(value, safe=""))
        else:
            parts.append(part)
    headers = {RESUME: last_id} if last_id else {}
    path = "/".join(parts)
    if operation.query:
        return Call(operation.verb, path, stated, None, headers)
    return Call(operation.verb, path, None, msgspec.json.encode(stated), {**headers, **_CONTENT_TYPE})


def forwarded(method: str, path: str, body: Any, headers: Mapping[str, str] | None) -> Call:
    """Returns the request of a proxied call; a body that is not bytes is sent as JSON."""
    if body is None or isinstance(body, bytes):
        return Call(method, path, None, body, headers or {})
    return Call(method, path, None, msgspec.json.encode(body), {**_CONTENT_TYPE, **(headers or {})})


def refused(status: int, headers: httpx.Headers, content: bytes) -> ApiError:
    """Returns what an answer that is no success is raised as."""
    body = parsed(content)
    code = body.get("code") if isinstance(body, dict) else None
    return errors.BY_CODE.get(str(code), ApiError)(status, headers, body)


def answered(operation: Operation, content: bytes) -> Any:
    """Returns the value of an answer. Raises UnexpectedAnswer."""
    if operation.answer is None:
        return None
    return _decoded(content, operation.answer)


def told(operation: Operation, event: Event) -> Any:
    """Returns the value of an event, UNSET for one that this version does not know. Raises the error it tells."""
    if event.name == "error":
        raise refused(200, httpx.Headers(), event.data.encode())
    kind = operation.events.get(event.name)
    return UNSET if kind is None else _decoded(event.data.encode(), kind)


def _decoded(content: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnexpectedAnswer(f"the answer is not what the gateway says: {error}") from error


class Retries:
    """Says after each failure of a call whether to try again, and when."""

    def __init__(self, most: int, *, idempotent: bool) -> None:
        self._most = most
        self._idempotent = idempotent
        self._made = 0

    def restart(self) -> None:
        """Forgets the failures: something went well since."""
        self._made = 0

    def pause(self, error: IngateError | None) -> float | None:
        """Returns the seconds to wait, None where the failure is final; `error` is None for a stream that ended."""
        if self._made >= self._most or not self._may_repeat(error):
            return None
        wait = _FIRST_PAUSE * 2**self._made * random.uniform(0.5, 1.0)  # noqa: S311 -- spreads callers, no secret
        self._made += 1
        if isinstance(error, ApiError) and error.retry_after is not None:
            wait = max(wait, error.retry_after)
        return wait if wait <= _LONGEST_PAUSE else None

    def _may_repeat(self, error: IngateError | None) -> bool:
        if isinstance(error, ConnectionFailed) and not error.sent:
            return True
        return self._idempotent and (
            error is None
            or isinstance(error, ConnectionFailed)
            or (isinstance(error, ApiError) and error.status in _TRANSIENT)
        )
