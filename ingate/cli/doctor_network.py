"""What `ingate doctor` finds at the two ports: free, a gateway, or somebody else; and the files of their TLS."""

import errno
import os
import socket
from collections.abc import AsyncIterator

from ingate.cli.doctor import Finding
from ingate.config import Settings

SECONDS = 2.0


async def ports(settings: Settings) -> AsyncIterator[Finding]:
    """Yields what is found."""
    for prefix in ("", "grpc_"):
        if (finding := _certificate(settings, prefix)) is not None:
            yield finding
    found = [finding async for finding in _http(settings)]
    found.append(await _grpc(settings))
    for finding in found:
        yield finding
    free = [_bound(settings, port, "", "").state == "ok" for port in (settings.port, settings.grpc_port)]
    if free[0] != free[1] and all(finding.state != "fail" for finding in found):
        advice = "choose others with --port and --grpc-port, or stop that gateway"
        yield Finding("fail", f"another gateway has one of the two ports, and the other is free: {advice}")


def _certificate(settings: Settings, prefix: str) -> Finding | None:
    from ingate.errors import BadRequest
    from ingate.net import server_tls

    chain, key = getattr(settings, f"{prefix}tls_cert"), getattr(settings, f"{prefix}tls_key")
    try:
        found = server_tls.identity(chain, key, prefix=prefix)
    except BadRequest as error:
        return Finding("fail", error.message)
    return None if found is None else Finding("ok", f"{prefix}tls_cert: {chain} and its key fit")


async def _http(settings: Settings) -> AsyncIterator[Finding]:
    import httpx

    url = f"{'https' if settings.tls_cert else 'http'}://{_host(settings)}:{settings.port}/healthz"
    try:
        # Whether callers trust the certificate depends on the name by which they call.
        async with httpx.AsyncClient(timeout=SECONDS, trust_env=False, verify=False) as client:  # noqa: S501 -- see above
            answer = await client.get(url, params={"deep": "true"})
    except httpx.HTTPError:
        yield _bound(settings, settings.port, "HTTP", "--port")
        return
    if answer.headers.get("server") != "ingate":
        yield Finding("fail", f"HTTP port {settings.port} is taken by another server: choose another with --port")
        return
    said = answer.json()
    if answer.status_code != 200:
        yield Finding("fail", f"the gateway at {url} is not ready: {answer.status_code}, {said['message']}")
        return
    yield Finding("ok", f"a gateway answers at {url}")
    if degraded := said["parts"]["degraded"]:
        yield Finding("warn", f"the gateway is degraded: {', '.join(degraded)}")


async def _grpc(settings: Settings) -> Finding:
    import grpc.aio

    from gen.ingate.system.v1.system_service_pb2 import GetHealthRequest
    from gen.ingate.system.v1.system_service_pb2_grpc import SystemServiceStub

    found = _bound(settings, settings.grpc_port, "gRPC", "--grpc-port")
    if found.state == "ok":
        return found
    address = f"{_host(settings)}:{settings.grpc_port}"
    if settings.grpc_tls_cert:
        return Finding("ok", f"something listens at {address} (gRPC over TLS, which is not called here)")
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            said = await SystemServiceStub(channel).GetHealth(GetHealthRequest(), timeout=SECONDS)
    except grpc.aio.AioRpcError:
        return found
    return Finding("ok", f"a gateway answers at {address} (gRPC, version {said.version})")


def _bound(settings: Settings, port: int, noun: str, option: str) -> Finding:
    """Returns whether a port is free, found out by taking it for a moment."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with socket.create_server((settings.host, port), family=family):
            return Finding("ok", f"{noun} port {port} on {settings.host} is free")
    except OSError as error:
        advice = f": choose another with {option}" if error.errno == errno.EADDRINUSE else ""
        problem = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        return Finding("fail", f"{noun} port {port} on {settings.host}: {problem}{advice}")


def _host(settings: Settings) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 -- not a binding
    return f"[{host}]" if ":" in host else host
