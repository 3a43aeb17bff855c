"""Short ways to ask the demo provider in process and to read its streams."""

from typing import Any

import msgspec

from ingate.providers.demo import DemoTransport, Roster
from ingate.proxy.ports import Origin, OutboundRequest
from tests.support.exchanges import account

MOMENT = 1_800_000_000
OWN = Roster()


async def ask(
    path: str,
    body: Any = None,
    *,
    method: str = "POST",
    headers: list[tuple[bytes, bytes]] | None = None,
    roster: Roster = OWN,
) -> tuple[int, dict[bytes, bytes], list[bytes]]:
    """Returns status, headers and body pieces; `body` is JSON unless it is bytes already."""
    payload = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
    request = OutboundRequest(method, account(Origin("http", "demo.invalid", 80)), path, headers or [], payload)
    answer = await DemoTransport(roster, clock=lambda: MOMENT).send(request)
    pieces = []
    while piece := await answer.read():
        pieces.append(piece)
    await answer.aclose()
    return answer.status, dict(answer.headers), pieces


async def ask_json(path: str, body: Any = None, **how: Any) -> tuple[int, Any]:
    """Returns status and decoded body."""
    status, _, pieces = await ask(path, body, **how)
    return status, msgspec.json.decode(b"".join(pieces))


def events(pieces: list[bytes]) -> list[Any]:
    """Returns the decoded data of server-sent events, `[DONE]` left out."""
    lines = b"".join(pieces).decode().splitlines()
    found = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [msgspec.json.decode(item) for item in found if item != "[DONE]"]
