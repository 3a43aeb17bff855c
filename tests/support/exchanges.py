"""Requests for the upstream pool and reading its answers, short enough for a test to read as a dialogue."""

from ingate.proxy.ports import Account, OutboundRequest, Timeouts

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def account(origin, org="org"):
    """The Account of an organisation, whose keys share its credential."""
    return Account.of(origin, org, [(b"authorization", f"Bearer sk-{org}".encode())])


def outbound(origin, method="POST", target="/v1/x", headers=(), body=b"", *, org="org", key="key", **timeouts):
    """An OutboundRequest; timeouts not named are five seconds, so that a hang fails soon."""
    limits = {"connect": 5.0, "first_byte": 5.0, "idle": 5.0} | timeouts
    return OutboundRequest(method, account(origin, org), target, list(headers), body, Timeouts(**limits), key)


async def read_all(response):
    """Returns the body, read to its end."""
    pieces = []
    while piece := await response.read():
        pieces.append(piece)
    return b"".join(pieces)


async def fetch(pool, origin, **request):
    """Sends and reads; returns (status, headers, body)."""
    response = await pool.send(outbound(origin, **request))
    try:
        return response.status, response.headers, await read_all(response)
    finally:
        await response.aclose()
