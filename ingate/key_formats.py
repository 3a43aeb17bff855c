"""The formats of keys: the prefix of each, how a secret is drawn, and which part of one may be shown. Pure."""

import secrets
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from gen.ingate.keys.v1.key_pb2 import (
    KEY_ENV_LIVE,
    KEY_ENV_TEST,
    KEY_FORMAT_ADMIN,
    KEY_FORMAT_INGATE,
    KEY_FORMAT_ONGOINGAI,
    KEY_FORMAT_PROMPTGATE,
)
from ingate import ids

SHOWN = 4
"""Characters of a key after its prefix that are shown: 24 bits of at least 192."""
_LEAST_HIDDEN = 16


class Form(NamedTuple):
    """How keys of one format are made: a prefix, another one for tests, and a function that draws the rest."""

    live: str
    test: str
    draw: Callable[[], str]


def _drawn() -> str:
    return secrets.token_urlsafe(32)


FORMS: Mapping[int, Form] = MappingProxyType(
    {
        KEY_FORMAT_INGATE: Form(ids.KEY_PREFIX, ids.KEY_PREFIX, _drawn),
        KEY_FORMAT_PROMPTGATE: Form(ids.PROMPTGATE_LIVE_PREFIX, ids.PROMPTGATE_TEST_PREFIX, _drawn),
        KEY_FORMAT_ONGOINGAI: Form(ids.ONGOINGAI_PREFIX, ids.ONGOINGAI_PREFIX, lambda: secrets.token_urlsafe(24)),
        KEY_FORMAT_ADMIN: Form(ids.ADMIN_PREFIX, ids.ADMIN_PREFIX, lambda: secrets.token_hex(32)),
    }
)
"""By number of `ingate.keys.v1.KeyFormat`."""


def new_secret(format: int = KEY_FORMAT_INGATE, env: int = KEY_ENV_LIVE) -> str:
    """Returns a fresh key of a format: 192 bits or more."""
    form = FORMS[format]
    return (form.test if env == KEY_ENV_TEST else form.live) + form.draw()


def preview(secret: str) -> str | None:
    """Returns a key's prefix and `SHOWN` more characters; None where fewer than 16 would remain hidden."""
    end = len(ids.key_prefix(secret)) + SHOWN
    return f"{secret[:end]}…" if len(secret) >= end + _LEAST_HIDDEN else None


def of_secret(secret: str) -> int:
    """Returns the format whose prefix a secret has, `KEY_FORMAT_INGATE` where it has none of the prefixes."""
    return next(
        (format for format, form in FORMS.items() if secret.startswith((form.live, form.test))), KEY_FORMAT_INGATE
    )
