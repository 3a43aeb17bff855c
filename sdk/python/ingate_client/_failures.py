"""What is raised when a call does not succeed. `ingate_client.errors` has a class for each code."""

from typing import Any

import httpx
import msgspec

_SHOWN = 300


class IngateError(Exception):
    """A call did not succeed."""


class ConnectionFailed(IngateError):
    """There is no answer, or no more of it. `sent` tells whether the gateway may have read the request."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class UnexpectedAnswer(IngateError):
    """The answer is a success, but not what the gateway says: something else is at that address."""


class ApiError(IngateError):
    """The gateway, or a provider behind it, refused.

    `code` is the gateway's word for why; empty where the answer has none, as those of providers. `fields` has what is
    wrong with which field of the request. `retry_after` is in seconds, None where nobody said. `body` is the answer.
    """

    status: int
    code: str
    message: str
    request_id: str
    fields: dict[str, str]
    retry_after: float | None
    body: Any

    def __init__(self, status: int, headers: httpx.Headers, body: Any) -> None:
        self.status = status
        self.body = body
        said = body if isinstance(body, dict) else {}
        self.code = str(said.get("code", ""))
        self.message = str(said.get("message") or body or f"the answer has status {status}")[:_SHOWN]
        self.request_id = str(said.get("request_id") or headers.get("X-Ingate-Request-Id", ""))
        details = said.get("details")
        self.fields = {each["field"]: each["message"] for each in details} if isinstance(details, list) else {}
        wait = headers.get("Retry-After", "")
        self.retry_after = float(wait) if wait.isdecimal() else None
        super().__init__(f"{status} {self.code or 'error'}: {self.message} (request {self.request_id or 'without id'})")


def parsed(content: bytes) -> Any:
    """Returns the JSON value of a body, or its text where it is none."""
    try:
        return msgspec.json.decode(content)
    except ValueError:
        return content.decode(errors="replace")


def transport_failed(error: httpx.TransportError) -> ConnectionFailed:
    """Returns what a failure of the connection is raised as."""
    unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    return ConnectionFailed(f"{type(error).__name__}: {error}", sent=not unsent)
