"""Asking providers for the usage of a stream whose caller did not, and hiding it from the caller. Knows no connection.

Providers that refuse the option get the request once more without it. They are remembered, each for its path and model.
"""

import time
from collections.abc import Awaitable, Callable

from ingate.formats import Body, Pace, UsageFilter, at_once, names_the_option, unpacking
from ingate.proxy.open_exchange import OpenExchange
from ingate.proxy.ports import Headers, UpstreamResponse
from ingate.proxy.request_head import Candidate
from ingate.proxy.stage import ReadAhead, Staged

REMEMBERED = 4096
"""Refusals that are remembered; the oldest gives way."""
SECONDS = 3600.0
"""How long. Providers learn, and one that is asked in vain costs its caller one more round trip."""
LONGEST = 1024
"""Characters of the longest path, query and model that are remembered."""
_REFUSALS = frozenset({400, 422})
_FAULT = 64 * 1024
"""Bytes of an error that are looked at."""
_EVENTS = b"text/event-stream"
_PLAIN = frozenset({b"", b"identity"})
_ACCEPT_ENCODING = b"accept-encoding"

Send = Callable[[Headers, Body], Awaitable[UpstreamResponse]]
"""Sends headers and a body to the candidate."""
_Place = tuple[bytes, str, str | None]


class StreamUsage:
    """Remembers who refuses the option. With `ask` false, nobody is asked."""

    def __init__(self, *, ask: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._refused: dict[_Place, float] = {}

    def asks(self, candidate: Candidate) -> bool:
        """Tells whether a call to a candidate is to ask for its usage."""
        if not self._refused:
            return self._ask
        place = _place(candidate)
        until = self._refused.get(place)
        if until is None:
            return self._ask
        if self._clock() < until:
            return False
        del self._refused[place]
        return self._ask

    async def answer(
        self, exchange: OpenExchange, candidate: Candidate, asked: Body | None, body: Body, send: Send
    ) -> UpstreamResponse:
        """Returns the answer to a call that streams, as its caller is to have it. Raises what `send` does.

        `asked` is the body that asks for usage, None where there is none; `body` is the one without.
        """
        if asked is None:
            return await send(candidate.headers, body)
        response = await send(_uncompressed(candidate), asked)
        if response.status in _REFUSALS:
            refused, response = await _judged(response)
            if refused:
                await response.aclose()
                response = await send(candidate.headers, body)
                if response.status < 400:  # else it was something else that the provider did not like
                    self._remember(candidate)
            return response
        named = response.named
        legible = named.get(b"content-encoding", b"").lower() in _PLAIN
        if not legible or not named.get(b"content-type", b"").lower().startswith(_EVENTS):
            return response
        exchange.usage_filter = UsageFilter()
        return Staged(response, exchange.usage_filter)

    def _remember(self, candidate: Candidate) -> None:
        place = _place(candidate)
        if len(place[1]) + len(place[2] or "") > LONGEST:
            return
        self._refused.pop(place, None)
        if len(self._refused) >= REMEMBERED:
            del self._refused[next(iter(self._refused))]
        self._refused[place] = self._clock() + SECONDS


def _place(candidate: Candidate) -> _Place:
    # The lane has the organisation in it: what one sees decides for no other.
    return candidate.account.lane, candidate.asks, candidate.destination.model


def _uncompressed(candidate: Candidate) -> Headers:
    """Returns the headers of a request whose answer had better not be compressed, for it is to be read."""
    headers = candidate.uncompressed
    if headers is None:
        headers = [(name, b"identity" if name == _ACCEPT_ENCODING else value) for name, value in candidate.headers]
        candidate.uncompressed = headers
    return headers


async def _judged(response: UpstreamResponse) -> tuple[bool, UpstreamResponse]:
    """Tells whether an error names the option; returns it too, since its beginning has been read."""
    fault = b""
    while len(fault) < _FAULT and (chunk := await response.read()):
        fault += chunk
    encoding = response.named.get(b"content-encoding", b"").decode("latin-1")
    shown = at_once(unpacking(fault, encoding, _FAULT, Pace())) if encoding else fault
    return names_the_option(shown), ReadAhead(response, fault)
