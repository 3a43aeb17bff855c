"""A `Transport` behind a real HTTP server, so that clients which only speak HTTP can be pointed at it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from ingate.proxy.ports import Origin, OutboundRequest, Transport
from tests.support.exchanges import account

_FRAMING = {b"host", b"content-length", b"connection", b"transfer-encoding"}


@asynccontextmanager
async def serving(transport: Transport) -> AsyncIterator[str]:
    """Yields the base URL (`http://127.0.0.1:port`) of a server that answers every request by `transport`."""

    async def relay(request: web.Request) -> web.StreamResponse:
        headers = [(name.lower(), value) for name, value in request.raw_headers if name.lower() not in _FRAMING]
        outbound = OutboundRequest(
            method=request.method,
            account=account(Origin("http", request.host, 80)),
            target=request.raw_path,
            headers=headers,
            body=await request.read(),
        )
        answer = await transport.send(outbound)
        response = web.StreamResponse(status=answer.status)
        for name, value in answer.headers:
            response.headers.add(name.decode("latin-1"), value.decode("latin-1"))
        await response.prepare(request)
        while piece := await answer.read():
            await response.write(piece)
        await answer.aclose()
        await response.write_eof()
        return response

    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", relay)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
