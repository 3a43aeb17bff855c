"""Which addresses a provider may have. Parses and judges URLs; resolves nothing.

A name is judged again whenever it is connected to, since what it resolves to can change: see `Origin.public`.
"""

import re
from urllib.parse import urlsplit

from ingate.errors import BadRequest
from ingate.proxy.ports import Origin
from ingate.proxy.upstream.private import is_private

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+(%[a-z0-9._-]+)?")


def parse(base_url: str, *, allow_private: bool) -> tuple[Origin, str]:
    """Returns origin and path prefix (no trailing slash) of a base URL, or raises BadRequest naming what is wrong."""
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError:
        raise BadRequest.field("base_url", "is not a URL") from None
    host = parts.hostname or ""
    if parts.scheme not in _PORTS:
        raise BadRequest.field("base_url", "must begin with http:// or https://")
    if not _HOST.fullmatch(host) or port == 0 or any(not 33 <= ord(character) <= 126 for character in base_url):
        raise BadRequest.field("base_url", "must name a host, in ASCII and without blanks")
    if "@" in parts.netloc or parts.query or parts.fragment or "?" in base_url or "#" in base_url:
        raise BadRequest.field("base_url", "must not carry credentials, a query or a fragment")
    if any(segment in {".", ".."} for segment in parts.path.split("/")):
        raise BadRequest.field("base_url", "must not contain . or .. segments")
    if not allow_private and is_private(host):
        raise BadRequest.field(
            "base_url", "must be a public address (INGATE_ALLOW_PRIVATE_UPSTREAMS=yes allows others)"
        )
    return Origin(parts.scheme, host, port or _PORTS[parts.scheme], public=not allow_private), parts.path.rstrip("/")
