"""Opens one connection: names resolved, addresses raced (happy eyeballs), proxy tunnel, TLS.

Knows no pool and sets no deadline.
"""

import asyncio
import re
import socket
import ssl

from aiohappyeyeballs import start_connection

from ingate.proxy.ports import ConnectFailed, ConnectTimeout, Origin
from ingate.proxy.upstream.outward import Proxy
from ingate.proxy.upstream.private import is_private
from ingate.proxy.upstream.request import authority
from ingate.proxy.upstream.tls import failure_reason

_RACE_DELAY = 0.25  # seconds before the next address is tried beside the first (RFC 8305)
_TUNNEL_ANSWER_LIMIT = 64 * 1024
_KEEPALIVE_SECONDS = 60  # a model that thinks for minutes must not look like a dead flow to the firewalls between


async def dial(origin: Origin, proxy: Proxy | None, context: ssl.SSLContext | None, protocol: asyncio.Protocol) -> None:
    """Connects `protocol`, through TLS if there is a context. Raises ConnectFailed or the kernel's ConnectTimeout."""
    via = proxy or origin
    try:
        sock = await _open(via.host, via.port, public=proxy is None and origin.public)
        if proxy is not None and context is not None:
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
        raise ConnectFailed(f"cannot connect: {getattr(error, 'strerror', None) or error}") from error


async def _open(host: str, port: int, *, public: bool) -> socket.socket:
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if public:
        # Judged here, and connected to here: a name cannot resolve to something else in between.
        addresses = [address for address in addresses if not is_private(str(address[4][0]))]
        if not addresses:
            raise ConnectFailed("the host has no public address")
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
