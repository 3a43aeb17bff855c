"""Opens one connection: names resolved, addresses raced (happy eyeballs), proxy tunnel, TLS.

Knows no pool and sets no deadline.
"""

import asyncio
import contextlib
import os
import re
import socket
import ssl

from aiohappyeyeballs import AddrInfoType, start_connection

from ingate.proxy.ports import ConnectFailed, ConnectTimeout, Origin
from ingate.proxy.upstream.outward import Proxy
from ingate.proxy.upstream.request import authority
from ingate.proxy.upstream.tls import failure_reason

_LOOK_UP_SECONDS = 1.0  # for a name that a proxy looks up again; behind one there may be nobody to ask
_RACE_DELAY = 0.25  # seconds before the next address is tried beside the first (RFC 8305)
_TUNNEL_ANSWER_LIMIT = 64 * 1024
_KEEPALIVE_SECONDS = 60  # a model that thinks for minutes must not look like a dead flow to the firewalls between


async def dial(origin: Origin, proxy: Proxy | None, context: ssl.SSLContext | None, protocol: asyncio.Protocol) -> None:
    """Connects `protocol`, through TLS if there is a context. Raises ConnectFailed or the kernel's ConnectTimeout."""
    try:
        if proxy is None:
            sock = await _open(await _allowed(origin))
        else:
            await _judge(origin)
            sock = await _open(await _look_up(proxy.host, proxy.port))
            if context is not None:
                await _tunnel(sock, origin, proxy)
        server_hostname = origin.host if context is not None else None
        await asyncio.get_running_loop().create_connection(
            lambda: protocol, sock=sock, ssl=context, server_hostname=server_hostname
        )
    except ssl.SSLError as error:
        raise ConnectFailed(failure_reason(error)) from error
    except socket.gaierror as error:
        raise ConnectFailed(f"host not found: {error.strerror}") from error
    except TimeoutError as error:
        raise ConnectTimeout("the network gave up connecting") from error
    except (OSError, ValueError, OverflowError, RuntimeError) as error:
        raise ConnectFailed(f"cannot connect: {_told(error)}") from error


def _told(error: Exception) -> str:
    """Returns the system's words for an error that has a number: asyncio's own tell of its calls."""
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if number else str(error)


async def _look_up(host: str, port: int) -> list[AddrInfoType]:
    return list(await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM))


async def _allowed(origin: Origin) -> list[AddrInfoType]:
    """Returns the addresses of an origin that its policy allows. Raises ConnectFailed where there is none.

    They are judged here, and connected to: a name cannot resolve to something else in between.
    """
    found = await _look_up(origin.host, origin.port)
    addresses = [one for one in found if origin.policy.allows(origin.host, str(one[4][0]))]
    if not addresses or not origin.policy.allows_host(origin.host):
        raise ConnectFailed("the host has no address that this gateway calls")
    return addresses


async def _judge(origin: Origin) -> None:
    """Raises ConnectFailed for an origin behind a proxy that has an address which its policy does not allow.

    The proxy looks the name up itself, so this is all that can be known here; a name that is not known here passes.
    """
    found: list[AddrInfoType] = []
    with contextlib.suppress(socket.gaierror, TimeoutError):
        found = await asyncio.wait_for(_look_up(origin.host, origin.port), _LOOK_UP_SECONDS)
    allowed = origin.policy.allows_host(origin.host)
    if not allowed or not all(origin.policy.allows(origin.host, str(one[4][0])) for one in found):
        raise ConnectFailed("the host has an address that this gateway does not call")


async def _open(addresses: list[AddrInfoType]) -> socket.socket:
    sock = await start_connection(addresses, happy_eyeballs_delay=_RACE_DELAY)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    idle = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None))  # Linux, macOS
    if idle is not None:
        sock.setsockopt(socket.IPPROTO_TCP, idle, _KEEPALIVE_SECONDS)
    return sock


async def _tunnel(sock: socket.socket, origin: Origin, proxy: Proxy) -> None:
    """Asks the proxy for a tunnel; closes the socket on any failure, cancellation included."""
    target = authority(origin, always_port=True)
    lines = [f"CONNECT {target} HTTP/1.1".encode(), f"host: {target}".encode()]
    if proxy.authorization is not None:
        lines.append(b"proxy-authorization: " + proxy.authorization)
    try:
        _check(await _ask(sock, b"\r\n".join([*lines, b"", b""])))
    except BaseException:
        sock.close()
        raise


async def _ask(sock: socket.socket, question: bytes) -> bytes:
    """Returns what came up to the end of a head, or less if the proxy closed the connection."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, question)
    answer = b""
    while b"\r\n\r\n" not in answer and len(answer) < _TUNNEL_ANSWER_LIMIT:
        piece = await loop.sock_recv(sock, 4096)
        if not piece:
            break
        answer += piece
    return answer


def _check(answer: bytes) -> None:
    status = re.match(rb"HTTP/1\.[01] (\d{3})\b", answer)
    if status is None:
        raise ConnectFailed("the proxy's answer to CONNECT is not HTTP")
    if not status[1].startswith(b"2"):
        raise ConnectFailed(f"the proxy refused the tunnel with status {status[1].decode()}")
    # TLS servers speak second: more than the head, or less, is no tunnel.
    if answer.find(b"\r\n\r\n") != len(answer) - 4:
        raise ConnectFailed("the proxy's answer to CONNECT does not end with its head")
