"""Identifiers and secrets. One way to make each."""

import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterator

KEY_PREFIX = "sk-ingate-"
SESSION_PREFIX = "ses-ingate-"
INVITATION_PREFIX = "inv-ingate-"
ONGOINGAI_PREFIX = "ogk_"
PROMPTGATE_LIVE_PREFIX = "pg_live_"
PROMPTGATE_TEST_PREFIX = "pg_test_"
ADMIN_PREFIX = "fg_live_"
_OLD_KEY_PREFIX = "ing_"
KEY_PREFIXES = (
    KEY_PREFIX,
    ONGOINGAI_PREFIX,
    PROMPTGATE_LIVE_PREFIX,
    PROMPTGATE_TEST_PREFIX,
    ADMIN_PREFIX,
    _OLD_KEY_PREFIX,
)
"""How keys of the gateway begin, in every dialect: the only list of them."""
TOKEN_PREFIXES = (SESSION_PREFIX, INVITATION_PREFIX)
"""How the gateway's credentials begin that are not keys."""
MADE_PREFIXES = (KEY_PREFIX, *TOKEN_PREFIXES)
"""Beginnings of credentials that no other text has."""
SECRET_PREFIXES = (*KEY_PREFIXES, *TOKEN_PREFIXES)
"""How every credential of the gateway begins: what is masked, never forwarded, and refused in a path or query."""
_LONG_PREFIXES = "|".join(prefix for prefix in SECRET_PREFIXES if prefix != _OLD_KEY_PREFIX)
BOUNDARY = rf"(?:(?<![A-Za-z0-9])|(?=(?:{_LONG_PREFIXES})[\w-]{{32}}))"
"""The pattern of where one begins: at a word's beginning, or inside a word if all of it is there. For `re.ASCII`."""
SECRET = rf"{BOUNDARY}(?:{'|'.join(SECRET_PREFIXES)})[\w-]{{6}}"
"""The pattern of the beginning of one."""
SECRET_HINTS = ("-ingate-", "ing_", "ogk_", "g_live_", "g_test_")
"""One of these is in each. Looking for them first costs a twentieth of running the pattern over a text."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_VERSION = 0x7000_8000_0000_0000_0000
_RANDOM = 0x0FFF_1FFF_FFFF_FFFF_FFFF
"""What is drawn beside version and variant: one bit fewer than there are, so that counting up never overflows."""
_STEPS_AT_ONCE = 2048
_steps: Iterator[int] = iter(())
_millisecond = 0
_lead = ""
_tail = 0


def uuid7() -> str:
    """Returns a UUIDv7 in its usual text form, greater than every one this process made before.

    The 48-bit millisecond clock leads, so text order is time order; within a millisecond (or when the
    clock steps back) the random tail is counted up by a random step instead of drawn anew.
    """
    global _lead, _millisecond, _steps, _tail  # noqa: PLW0603 -- the only state is "greater than the one before"
    now = time.time_ns() // 1_000_000
    if now > _millisecond:
        _millisecond = now
        digits = f"{now:012x}"
        _lead = f"{digits[:8]}-{digits[8:]}"
        _tail = _VERSION | int.from_bytes(os.urandom(10)) & _RANDOM
    else:
        step = next(_steps, None)
        if step is None:
            # For many ids at once: a system call for each would be half of its cost.
            _steps = iter(memoryview(os.urandom(2 * _STEPS_AT_ONCE)).cast("H").tolist())
            step = next(_steps)
        _tail += 1 + step
    digits = _tail.to_bytes(10).hex()
    return f"{_lead}-{digits[:4]}-{digits[4:8]}-{digits[8:]}"


def is_uuid(text: str) -> bool:
    """Tells whether a text is a UUID in the form that `uuid7` returns, of any version."""
    return _UUID.fullmatch(text) is not None


def may_hold_secret(text: str) -> bool:
    """Tells whether one of SECRET_HINTS is in a text. Spelt out, since a loop over them takes twice as long."""
    return "ing" in text or "ogk_" in text or "g_live_" in text or "g_test_" in text


def key_prefix(secret: str) -> str:
    """Returns which of KEY_PREFIXES a secret begins with, empty where it begins with none."""
    return next((prefix for prefix in KEY_PREFIXES if secret.startswith(prefix)), "")


def new_session_token() -> str:
    """Returns a fresh session token: the prefix and 43 base64url characters (256 bits)."""
    return SESSION_PREFIX + secrets.token_urlsafe(32)


def new_invitation_token() -> str:
    """Returns a fresh invitation token: the prefix and 43 base64url characters (256 bits)."""
    return INVITATION_PREFIX + secrets.token_urlsafe(32)


def secret_hash(secret: str) -> bytes:
    """Returns the SHA-256 of a high-entropy secret, the only form in which one is stored or looked up."""
    return hashlib.sha256(secret.encode()).digest()
