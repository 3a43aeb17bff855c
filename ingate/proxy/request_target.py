"""Which methods, paths and queries may go on to a provider; every host of the engine asks here first. Pure.

Knows nothing of providers or of what the paths mean.
"""

import re
from urllib.parse import parse_qsl, unquote, unquote_to_bytes

from ingate import ids
from ingate.errors import BadRequest, MethodNotAllowed

_SECRET = re.compile("|".join((*ids.MADE_PREFIXES, ids.SECRET)), re.ASCII)
_SUSPICIOUS = ("%", "//", "/.", " ", "\\", "#", *ids.SECRET_HINTS)
_NEVER_SENT = frozenset({"CONNECT", "TRACE", "TRACK"})
"""Methods that ask for a tunnel, or to be shown the request as it arrived: with the provider's credential in it."""
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
"""What `Allow` names: the usual ones of those that are forwarded."""


def check(method: str, path: str, query: str) -> None:
    """Raises BadRequest for what a provider could read otherwise than the gateway, and for credentials of the gateway.

    Raises MethodNotAllowed for methods that are not forwarded. `path` and `query` are raw, as they were received.
    """
    if not (method.isascii() and method.isalpha()):
        raise BadRequest("the method cannot be forwarded")
    if method.upper() in _NEVER_SENT:
        raise MethodNotAllowed("the method is not forwarded", metadata={"allow": ", ".join(METHODS)})
    if not path.startswith("/"):
        raise BadRequest("the path must begin with /")
    if not _plain(path) or any(part in path for part in _SUSPICIOUS):
        _check_path(path)
    if query:
        _check_query(query)


def _plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _check_path(path: str) -> None:
    if not _plain(path) or " " in path or "#" in path:
        raise BadRequest("the path is not percent-encoded UTF-8")
    for segment in path[1:].split("/"):
        # An encoded slash may be one to the provider, a backslash too, and what is behind a semicolon no part of it.
        parts = unquote(segment).replace("\\", "/").split("/")
        if not {".", ".."}.isdisjoint(part.partition(";")[0] for part in parts):
            raise BadRequest("the path must not contain . or .. segments")
    if "//" in path:
        raise BadRequest("the path must not contain empty segments")
    try:
        plain = unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        plain = "\0"
    if "\0" in plain:
        raise BadRequest("the path is not percent-encoded UTF-8")
    if _SECRET.search(plain):
        raise BadRequest("keys are not accepted in the path: send yours in a header")


def _check_query(query: str) -> None:
    if not _plain(query) or " " in query or "#" in query:
        raise BadRequest("the query is not percent-encoded UTF-8")
    if "%" not in query and not ids.may_hold_secret(query):
        return
    if _SECRET.search(unquote(query)) or any(
        name.endswith("key") and value.startswith(ids.KEY_PREFIXES) for name, value in parse_qsl(query)
    ):
        raise BadRequest("keys are not accepted in the query: send yours in a header")
