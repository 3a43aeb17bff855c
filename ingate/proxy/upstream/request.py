"""An outbound request as the bytes of HTTP/1.1. Pure; knows no connection.

Everything a caller hands in is refused with ValueError where it could add a line to the head. Lines are remembered,
since requests to a provider are much alike, so each is checked once.
"""

import re

from ingate.formats import views
from ingate.proxy.ports import Headers, Origin, OutboundRequest
from ingate.remembered import CAPACITY, Remembered

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET = re.compile(r"/[^\s\x00]*", re.ASCII)
_LINE_END = re.compile(rb"[\r\n\x00]")
_HOST = re.compile(r"(?!\.)[^\s/@?#\\\[\]\x00-\x20\x7f]+")
_FRAMING = frozenset({b"host", b"content-length", b"transfer-encoding", b"connection"})
BODY_EXPECTED = frozenset({"POST", "PUT", "PATCH"})
"""Methods whose requests have a body, if an empty one."""
_REQUEST_BEGINS = re.compile(rb"[\s\x00]*+[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}+[ \t]")
_JSON_BEGINS = b"{["
_REMEMBERED_BYTES = 4096
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


def is_last(request: OutboundRequest) -> bool:
    """Tells whether a request has to be the last of its connection, and to say so.

    Who does not read its body, because the method needs none or because it refuses, would take it for a request where
    it begins as one. Said to close, servers do not read on.
    """
    body = request.body
    if not body:
        return False
    first = body if isinstance(body, bytes) else next(views(body))
    return request.method not in BODY_EXPECTED or (
        first[0] not in _JSON_BEGINS and _REQUEST_BEGINS.match(first) is not None
    )


def encode(request: OutboundRequest, prefix: str, fixed: bytes, join_limit: int) -> bytes:
    """Returns the request head, followed by the body if that has at most `join_limit` bytes.

    `prefix` is put before the target (absolute form, for a proxy); `fixed` are the header lines of the
    origin, joined by line ends. ValueError if the method, the target, a name or a value may not be sent.
    """
    method, headers, body = request.method, request.headers, request.body
    start = _start_lines[method, prefix, request.target]
    known = _blocks.get(id(headers))
    block = known[1] if known is not None and known[0] is headers else _block(headers)
    if request.also:
        block = b"%b%b\r\n" % (block, b"\r\n".join(map(_header_line, request.also)))
    if body or method in BODY_EXPECTED:
        shown = bytes(body) if len(body) <= join_limit else b""
        return b"%b\r\n%b\r\n%bcontent-length: %d\r\n\r\n%b" % (start, fixed, block, len(body), shown)
    return b"%b\r\n%b\r\n%b\r\n" % (start, fixed, block)


def _block(headers: Headers) -> bytes:
    """Returns header lines, each with its line end; remembers those of CAPACITY lists, which must not change."""
    block = b"".join([_header_lines[header] + b"\r\n" for header in headers])
    if len(block) <= _REMEMBERED_BYTES:
        if len(_blocks) >= CAPACITY:
            _blocks.clear()
        _blocks[id(headers)] = headers, block
    return block


def _start_line(parts: tuple[str, str, str]) -> bytes:
    method, prefix, target = parts
    if not (method.isalpha() and method.isascii()):
        raise ValueError("the method is not a word")
    if not _TARGET.fullmatch(target):
        raise ValueError("the target is not a path")
    return f"{method} {prefix}{target} HTTP/1.1".encode("ascii")


def _header_line(header: tuple[bytes, bytes]) -> bytes:
    """Returns a header line, the name in lower case."""
    name, value = header
    if _LINE_END.search(value):
        raise ValueError("a line end or NUL in a header value")
    return _line_starts[name] + value


def _line_start(name: bytes) -> bytes:
    if not _TOKEN.fullmatch(name):
        raise ValueError("a header name is not a token")
    name = name.lower()
    if name in _FRAMING:
        raise ValueError(f"the transport itself adds {name.decode()}")
    return name + b": "


_start_lines = Remembered(_start_line, lambda parts: sum(map(len, parts)))
_line_starts = Remembered(_line_start, len)
_header_lines = Remembered(_header_line, lambda header: sum(map(len, header)))
_blocks: dict[int, tuple[Headers, bytes]] = {}
"""Header lines by the identity of the list that they are made of: requests of one route have the same."""
