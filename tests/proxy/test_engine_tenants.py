"""Two tenants of one provider that gets out of step in every way: nothing of one reaches the other."""

import asyncio
import random
import re
from collections import Counter

import pytest

from tests.support.gateway import gateway
from tests.support.upstream.desync import UNREAD, WAYS, Desync

CALLS = 10_000
CALLERS = 6
SECRET = "sk-provider-key-of-{}"
SMUGGLED = "POST /v1/well/smuggled-by-{} HTTP/1.1\r\nhost: x\r\ncontent-length: 300\r\n\r\n"
METHODS = ("POST", "POST", "POST", "GET", "HEAD", "DELETE", "OPTIONS")
TENANTS = ("alice", "bob")


class Caller:
    """One connection to the gateway, made again whenever it is closed."""

    def __init__(self, port, key):
        self._port = port
        self._key = key
        self._writer = None

    async def ask(self, method, path, body):
        """Returns status and body of the answer; 0 and what came of it when it was broken off."""
        if self._writer is None or self._writer.is_closing():
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        head = f"{method} {path} HTTP/1.1\r\nhost: x\r\nx-ingate-key: {self._key}\r\ncontent-type: text/plain\r\n"
        length = f"content-length: {len(body)}\r\n" if body or method == "POST" else ""
        self._writer.write(f"{head}{length}\r\n".encode() + body)
        received = b""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            status = int(head[9:12])
            if method != "HEAD" and status not in {204, 304}:
                received = await self._body(head)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            self.close()
            return 0, received + getattr(error, "partial", b"")
        if b"\r\nconnection: close" in head.lower():
            self.close()
        return status, head + received

    async def _body(self, head):
        if length := re.search(rb"(?i)\r\ncontent-length: (\d+)", head):
            return await self._reader.readexactly(int(length[1]))
        body = b""
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            body += (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readexactly(2)
        return body

    def close(self):
        """Ends the connection."""
        if self._writer is not None:
            self._writer.transport.abort()


@pytest.mark.timeout(300)
async def test_ten_thousand_calls_of_two_tenants():
    """Each answer is the tenant's own or an error, and no connection to the provider carries bytes of both."""
    rng = random.Random(8)
    connections = []
    server = await asyncio.get_running_loop().create_server(
        lambda: Desync(connections, lambda: rng.choice((0, 0.001, 0.003, 0.01, 0.03))), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    outcomes = Counter()

    async def call(caller, tenant, number):
        method, way = rng.choice(METHODS), rng.choice(WAYS)
        body = SMUGGLED.format(tenant).encode() if method == "POST" or rng.random() < 0.2 else b""
        if method == "POST" and way == UNREAD[-1] and number % 50 == 0:
            body += b"x" * 1_000_000
        status, answer = await caller.ask(method, f"/v1/{way}/{tenant}-{number}", body)
        for other in TENANTS:
            assert other == tenant or other.encode() not in answer, (tenant, method, way, answer)
        assert status or way not in {"well", "well-chunked"}, (tenant, method, way, answer)
        if body and method != "POST":
            assert status == 400
        outcomes[status] += 1

    async def calls(gw_port, org, tenant):
        caller = Caller(gw_port, org.key)
        for number in range(CALLS // CALLERS // len(TENANTS) + 1):
            await call(caller, tenant, number)
        caller.close()

    async with server, gateway(grpc=False, capture_bytes=0) as gw:
        orgs = {tenant: await gw.signup() for tenant in TENANTS}
        for tenant, org in orgs.items():
            url = f"http://127.0.0.1:{port}"
            await org.provider("own", "http", url, is_default=True, api_key=SECRET.format(tenant), timeout_ms=250)
        gw_port = int(gw.url.rpartition(":")[2])
        await asyncio.gather(*(calls(gw_port, org, tenant) for tenant, org in orgs.items() for _ in range(CALLERS)))
    assert sum(outcomes.values()) >= CALLS
    assert outcomes[200] > CALLS / 10
    assert outcomes[502] > CALLS / 10
    for connection in connections:
        assert sum(tenant.encode() in connection.received for tenant in TENANTS) < 2
    assert any(SECRET.format("bob").encode() in connection.received for connection in connections)
