import pytest

from ingate.proxy.ports import ConnectFailed, Origin, OutboundRequest
from ingate.proxy.upstream import UpstreamPool
from tests.support.exchanges import account
from tests.support.upstream import ScriptedUpstream


async def test_a_public_origin_is_not_looked_for_on_this_machine():
    """A name that resolves to a private address only is refused before anything is sent, even beside a live lane."""
    pool = UpstreamPool(environ={})
    try:
        async with ScriptedUpstream() as upstream:
            allowed = Origin("http", "localhost", upstream.port)
            response = await pool.send(OutboundRequest("GET", account(allowed), "/v1/models", [], b""))
            assert response.status == 200
            while await response.read():
                pass
            refused = Origin("http", "localhost", upstream.port, public=True)
            with pytest.raises(ConnectFailed, match="no public address"):
                await pool.send(OutboundRequest("GET", account(refused), "/v1/models", [], b""))
            assert len(upstream.requests) == 1
    finally:
        await pool.aclose()
