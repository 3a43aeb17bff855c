"""A provider's answer that says that it failed, as the error that a typed call ends with."""

import contextlib
import math
from collections.abc import Iterator

from gen.ingate.chat.v1.chat_service_pb2 import StreamCompleteResponse as Event
from ingate.errors import ProviderAnswered
from ingate.formats import Pace, at_once, fault, unpacking

_KEPT = 64 * 1024
"""Bytes of the answer that are read for its words."""


class FaultReader:
    """Reads such an answer as `ChatReader` reads a good one; the end of it raises ProviderAnswered."""

    def __init__(self, provider: str, status: int, headers: dict[str, str]) -> None:
        self._provider = provider
        self._status = status
        self._headers = headers
        self._body = b""

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Keeps the beginning of the body."""
        self._body += chunk[: _KEPT - len(self._body)]
        return iter(())

    def cut(self) -> Iterator[Event]:
        """Raises the error although the answer is not complete: its status says enough."""
        return self.finish()

    def finish(self) -> Iterator[Event]:
        """Raises the error."""
        encoding = self._headers.get("content-encoding", "")
        body = at_once(unpacking(self._body, encoding, _KEPT, Pace())) if encoding else self._body
        code, message = fault.stated(body)
        said = {
            "provider": self._provider,
            "provider_status": str(self._status),
            "provider_code": code,
            "provider_message": message,
        }
        raise ProviderAnswered(
            f"the provider {self._provider} answered with status {self._status}",
            status=self._status,
            metadata={name: words for name, words in said.items() if words},
            retry_after=_seconds(self._headers.get("retry-after", "")),
        )


def _seconds(stated: str) -> float | None:
    """Returns after how many seconds the provider is to be asked again, None where it does not say so in seconds."""
    with contextlib.suppress(ValueError):
        seconds = float(stated)
        return seconds if math.isfinite(seconds) and seconds >= 0 else None
    return None
