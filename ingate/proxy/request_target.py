"""Which methods, paths and queries may go on to a provider; every host of the engine asks here first. Pure.

Knows nothing of providers or of what the paths mean.
"""

import re
from urllib.parse import parse_qsl, unquote, unquote_to_bytes

from ingate.errors import BadRequest
from ingate.ids import INVITATION_PREFIX, KEY_PREFIX, SESSION_PREFIX

_OLD_KEY_PREFIX = "ing_"
_SECRET = re.compile(f"{KEY_PREFIX}|{SESSION_PREFIX}|{INVITATION_PREFIX}")
_SUSPICIOUS = ("%", "//", "/.", " ", "-ingate-")


def check(method: str, path: str, query: str) -> None:
    """Raises BadRequest for what a provider could read otherwise than the gateway, and for credentials of the gateway.

    `path` and `query` are raw, as they were received.
    """
    if not (method.isascii() and method.isalpha()) or method == "CONNECT":
        raise BadRequest("the method cannot be forwarded")
    if not path.startswith("/"):
        raise BadRequest("the path must begin with /")
    if not _plain(path) or any(part in path for part in _SUSPICIOUS):
        _check_path(path)
    if query:
        _check_query(query)


def _plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _check_path(path: str) -> None:
    if not _plain(path) or " " in path:
        raise BadRequest("the path is not percent-encoded UTF-8")
    for segment in path[1:].split("/"):
        # An encoded slash may be one to the provider.
        if not {".", ".."}.isdisjoint(unquote(segment).split("/")):
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
        raise BadRequest("keys are not accepted in the path: send yours in the header X-Ingate-Key")


def _check_query(query: str) -> None:
    if not _plain(query) or " " in query:
        raise BadRequest("the query is not percent-encoded UTF-8")
    if "ing" not in query and "%" not in query:
        return
    if _SECRET.search(unquote(query)) or any(
        name.endswith("key") and value.startswith(_OLD_KEY_PREFIX) for name, value in parse_qsl(query)
    ):
        raise BadRequest("keys are not accepted in the query: send yours in the header X-Ingate-Key")
