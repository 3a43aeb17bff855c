"""An outbound request as the bytes of HTTP/1.1. Pure; knows no connection.

Everything a caller hands in is refused with ValueError where it could add a line
to the head: the number of line ends in the finished head is known, and counted.
"""

import functools
import re

from ingate.proxy.ports import Origin, OutboundRequest

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOST = re.compile(r"(?!\.)[^\s/@?#\\\[\]\x00-\x20\x7f]+")
_FRAMING = frozenset({b"host", b"content-length", b"transfer-encoding", b"connection"})
_BODY_EXPECTED = frozenset({"POST", "PUT", "PATCH"})
_DEFAULT_PORTS = {"http": 80, "https": 443}


def authority(origin: Origin, *, always_port: bool = False) -> str:
    """Returns `host`, `host:port` or `[v6]:port`; a default port only if asked for. ValueError for what is no host."""
    host = origin.host if origin.host.isascii() else origin.host.encode("idna").decode("ascii")
    if not _HOST.fullmatch(host):
        raise ValueError("the origin's host is not a host name or address")
    if ":" in host:
        host = f"[{host}]"
    if origin.port == _DEFAULT_PORTS.get(origin.scheme) and not always_port:
        return host
    return f"{host}:{origin.port}"


@functools.lru_cache(maxsize=1024)
def _field(name: bytes) -> bytes:
    """Returns the start of a header line, name in lower case. Cached: names repeat, values do not."""
    if not _TOKEN.fullmatch(name):
        raise ValueError("a header name is not a token")
    name = name.lower()
    if name in _FRAMING:
        raise ValueError(f"the transport itself adds {name.decode()}")
    return name + b": "


def encode(request: OutboundRequest, prefix: str, fixed: bytes, join_limit: int) -> bytes:
    """Returns the request head, followed by the body if that has at most `join_limit` bytes.

    `prefix` is put before the target (absolute form, for a proxy); `fixed` are the header lines of the
    origin, joined by line ends. ValueError if the method, the target, a name or a value may not be sent.
    """
    method, target, body = request.method, request.target, request.body
    if not (method.isalpha() and method.isascii()):
        raise ValueError("the method is not a word")
    if target[:1] != "/" or " " in target:
        raise ValueError("the target is not a path")
    lines = [
        f"{method} {prefix}{target} HTTP/1.1".encode("ascii"),
        fixed,
        *[_field(name) + value for name, value in request.headers],
    ]
    if body or method in _BODY_EXPECTED:
        lines.append(b"content-length: %d" % len(body))
    lines.append(b"\r\n")
    head = b"\r\n".join(lines)
    line_ends = len(lines) + fixed.count(b"\n")
    if len(head) - len(head.translate(None, b"\r\n\0")) != 2 * line_ends:
        raise ValueError("a line end or NUL in the target or in a header value")
    return head + body if body and len(body) <= join_limit else head
