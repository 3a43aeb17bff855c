"""Request heads: read strictly, and remembered, for clients send the same head over and over, but for a line or two.

What is refused here would otherwise be read one way by this gateway and another way by a proxy in front of it. Knows
no connection and no routes.
"""

import re
from typing import TYPE_CHECKING

from msgspec import Struct
from multidict import CIMultiDict, CIMultiDictProxy

from ingate.proxy.ports import Headers
from ingate.proxy.request_head import RequestHead, is_heeded
from ingate.remembered import Remembered
from rest_facade import failures
from rest_facade.failures import Refused

if TYPE_CHECKING:
    from rest_facade.http1.owner import Owner, Table

REMEMBERED = 1024
REMEMBERED_BYTES = 4096
MOST_OWN = 4
"""Lines that a head may have of its own beside those that it shares with others."""
MAX_HEADERS = 128
MAX_ESCAPES = 1024
"""Escaped bytes of a path."""
_MAX_TOKENS = 64
_HEEDED = frozenset({b"host", b"connection", b"expect", b"transfer-encoding", b"upgrade"})
_METHODS = (
    "ACL|BIND|CHECKOUT|COPY|DELETE|GET|HEAD|LINK|LOCK|M-SEARCH|MERGE|MKACTIVITY|MKCALENDAR|MKCOL|MOVE|NOTIFY|"
    "OPTIONS|PATCH|POST|PROPFIND|PROPPATCH|PURGE|PUT|QUERY|REBIND|REPORT|SEARCH|SOURCE|SUBSCRIBE|TRACE|UNBIND|UNLINK|"
    "UNLOCK|UNSUBSCRIBE"
)
"""What the parsers in use before this gateway know. CONNECT is not among them: what follows it is no body to some."""

_REQUEST_LINE = re.compile(rf"({_METHODS}) ([\x21-\x7e]+) HTTP/1\.([01])".encode())
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*+([\t\x20-\x7e\x80-\xff]*)")
_LENGTH = re.compile(rb"\r\n(?i:content-length):[ \t]*(\d{1,15})[ \t]*(?=\r\n|\Z)")
_ABSOLUTE = re.compile(r"(?i:https?)://[^/?#]*")
_TABBED_CODING = re.compile(rb"\r\n(?i:transfer-encoding):[^\r]*\t")
_BEGINNING = re.compile(rb"[A-Z-]{1,16}(?: [^\n]*)?\r?\Z|[A-Z-]{1,16} [^\n]*\n")


class Head(Struct, eq=False):
    """A request's line and headers.

    `target` is raw, `path` and `query` are its parts. Header names are in lower case; `content-length` is not among the
    headers, since it belongs to the connection. `version` is the minor one of HTTP/1. `owner`
    answers. `asked` is what the proxy makes of the head when it first sees it, `named` is kept by `fields`.
    One with headers of its `own` has the rest, and what follows from it, from `shared`, of which `names` are the names.
    """

    method: str
    target: str
    path: str
    query: str
    version: int
    headers: Headers
    chunked: bool
    keep_alive: bool
    expects: bool
    owner: "Owner"
    asked: RequestHead | None = None
    named: CIMultiDictProxy[str] | None = None
    names: frozenset[bytes] = frozenset()
    shared: "Head | None" = None
    own: Headers = []

    def differing(self, own: Headers) -> "Head":
        """Returns this head with more headers, such that nothing else follows from them."""
        return Head(
            self.method,
            self.target,
            self.path,
            self.query,
            self.version,
            self.headers + own,
            self.chunked,
            self.keep_alive,
            self.expects,
            self.owner,
            shared=self,
            own=own,
        )

    def fields(self) -> CIMultiDictProxy[str]:
        """Returns the headers by name, whatever its case."""
        if self.named is None:
            pairs = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in self.headers)
            self.named = CIMultiDictProxy(CIMultiDict(pairs))
        return self.named


class Heads:
    """Reads the heads of one facade. Who answers them is remembered with them, as long as the table says so."""

    def __init__(self, table: "Table", *, max_target: int) -> None:
        self._max_target = max_target
        self._known: dict[bytes, Head] = {}
        self._lines: set[bytes] = set()
        """Lines of heads that were read before. One that was not is mostly no other's either, such as a trace id."""
        self.follow(table)

    @property
    def epoch(self) -> int:
        """That of the table."""
        return self._table.epoch

    def follow(self, table: "Table") -> None:
        """Has another table say who answers, from the next head on. What was remembered of the last is forgotten."""
        self._table = table
        heeded = _HEEDED | table.heeded
        # Of a header's name: whether nothing follows from it but that it crosses and is recorded.
        self._differs = Remembered[bytes, bool](lambda name: name not in heeded and not is_heeded(name), len)
        self._known.clear()
        self._lines.clear()

    def read(self, raw: bytes) -> tuple[Head, int]:
        """Returns a head, given without its final blank line, and the length of the body, 0 where none is stated.

        Raises `Refused` for what is not HTTP/1.1, contradicts itself or is too large.
        """
        # The length differs between requests that are alike otherwise, so it is taken out before looking.
        found = _LENGTH.search(raw)
        if found is None:
            return self._known.get(raw) or self._met(raw), 0
        start, end = found.span()
        text = raw[:start] + raw[end:]
        head = self._known.get(text) or self._met(text)
        if head.chunked:
            raise not_http()
        return head, int(found[1])

    def _met(self, text: bytes) -> Head:
        """Returns a head that is not known as it is: made of one that is and what differs, or read as a whole."""
        if len(text) > REMEMBERED_BYTES:
            return self._parse(text)
        lines = text.split(b"\r\n")
        known = self._lines
        new = [line for line in lines if line not in known]
        if len(new) <= MOST_OWN and lines[0] in known and len(lines) <= MAX_HEADERS:
            own = list(map(_header, new))
            named = dict(own)
            if len(named) == len(own) and all(map(self._differs.__getitem__, named)):
                stable = b"\r\n".join([line for line in lines if line in known])
                shared = self._known.get(stable) or self._keep(stable)
                if shared.names.isdisjoint(named):
                    self._learn(new)
                    return shared.differing(own) if own else shared
        head = self._keep(text)
        self._learn(lines)
        return head

    def _keep(self, text: bytes) -> Head:
        head = self._parse(text)
        if len(self._known) >= REMEMBERED:
            self._known.clear()  # what repeats is back at once
        self._known[text] = head
        return head

    def _learn(self, lines: list[bytes]) -> None:
        if len(self._lines) >= REMEMBERED:
            self._lines.clear()
        self._lines.update(lines)

    def _parse(self, text: bytes) -> Head:
        first, *lines = text.split(b"\r\n")
        asked = _REQUEST_LINE.fullmatch(first)
        if asked is None:
            raise not_http()
        if len(asked[2]) > self._max_target:
            raise Refused(failures.target_too_long())
        if len(lines) > MAX_HEADERS:
            raise Refused(failures.headers_too_large())
        headers = [_header(line) for line in lines]
        values: dict[bytes, bytes] = {}
        for name, value in headers:
            values[name] = values[name] + b"," + value if name in values else value
        version = asked[3][0] - ord("0")
        hosts = sum(name == b"host" for name, _ in headers)
        if hosts > 1 or (version and not hosts):
            raise not_http()
        # A length in odd clothes, or a second one: no reason to find out how others would read it.
        if b"content-length" in values:
            raise not_http()
        target = asked[2].decode()
        path, query = split_target(target)
        if path.count("%") > MAX_ESCAPES:
            raise Refused(failures.target_too_long())
        if not path.startswith("/"):
            raise Refused(failures.bad_request("the request target must be a path"))
        tokens = [token.strip() for token in values.get(b"connection", b"").lower().split(b",", _MAX_TOKENS)]
        if len(tokens) > _MAX_TOKENS:
            raise not_http()
        keep_alive = b"close" not in tokens if version else b"keep-alive" in tokens
        return Head(
            asked[1].decode(),
            target,
            path,
            query,
            version,
            headers,
            _is_chunked(text, values.get(b"transfer-encoding"), version),
            keep_alive and b"upgrade" not in tokens,
            bool(version) and values.get(b"expect", b"").lower() == b"100-continue",
            self._table.owner(path),
            names=frozenset(values),
        )


def may_begin(raw: bytes | bytearray) -> bool:
    """Tells whether an unfinished head begins as one; what does not is refused without waiting for more."""
    return _BEGINNING.match(raw) is not None


def split_target(target: str) -> tuple[str, str]:
    """Returns raw path and query of a request target; of an absolute one, as proxies get, what follows the host."""
    if not target.startswith("/"):
        match = _ABSOLUTE.match(target)
        if match is not None:
            target = target[match.end() :]
            if not target.startswith("/"):
                target = "/" + target
    path, _, query = target.partition("#")[0].partition("?")
    return path, query


def not_http() -> Refused:
    """Returns the refusal of what breaks a rule of HTTP/1.1."""
    return Refused(failures.bad_request("the request is not valid HTTP/1.1"))


def _is_chunked(text: bytes, coding: bytes | None, version: int) -> bool:
    """Tells whether a body is chunked. Any other coding is refused."""
    if coding is None:
        return False
    if not version or coding.lower() != b"chunked" or _TABBED_CODING.search(text):
        raise not_http()
    return True


def _header(line: bytes) -> tuple[bytes, bytes]:
    found = _HEADER.fullmatch(line)
    if found is None:
        raise not_http()
    return found[1].lower(), found[2].rstrip(b" \t")
