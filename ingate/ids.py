"""Identifiers and secrets. One way to make each."""

import hashlib
import os
import re
import secrets
import time

KEY_PREFIX = "sk-ingate-"
SESSION_PREFIX = "ses-ingate-"
INVITATION_PREFIX = "inv-ingate-"

_RANDOM_BITS = 74
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_last = 0
_drawn = b""
_used = 0


def _random_bytes() -> bytes:
    """Returns ten random bytes, drawn from the system for 256 ids at once: a system call an id is half of its cost."""
    global _drawn, _used  # noqa: PLW0603 -- a buffer
    if _used == len(_drawn):
        _drawn, _used = os.urandom(2560), 0
    _used += 10
    return _drawn[_used - 10 : _used]


def uuid7() -> str:
    """Returns a UUIDv7 in its usual text form, greater than every one this process made before.

    The 48-bit millisecond clock leads, so text order is time order; within a millisecond (or when the
    clock steps back) the random tail is counted up instead of drawn anew.
    """
    global _last  # noqa: PLW0603 -- the only state is "greater than the one before"
    fresh = (time.time_ns() // 1_000_000) << _RANDOM_BITS | int.from_bytes(_random_bytes()) >> 6
    _last = fresh if fresh >> _RANDOM_BITS > _last >> _RANDOM_BITS else _last + 1 + (fresh & 0xFFFF)
    high, low = _last >> 62, _last & (1 << 62) - 1
    value = (high >> 12) << 80 | 0x7 << 76 | (high & 0xFFF) << 64 | 0b10 << 62 | low
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def is_uuid(text: str) -> bool:
    """Tells whether a text is a UUID in the form that `uuid7` returns, of any version."""
    return _UUID.fullmatch(text) is not None


def new_key() -> str:
    """Returns a fresh API key: the prefix and 43 base64url characters (256 bits)."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def new_session_token() -> str:
    """Returns a fresh session token: the prefix and 43 base64url characters (256 bits)."""
    return SESSION_PREFIX + secrets.token_urlsafe(32)


def new_invitation_token() -> str:
    """Returns a fresh invitation token: the prefix and 43 base64url characters (256 bits)."""
    return INVITATION_PREFIX + secrets.token_urlsafe(32)


def secret_hash(secret: str) -> bytes:
    """Returns the SHA-256 of a high-entropy secret, the only form in which one is stored or looked up."""
    return hashlib.sha256(secret.encode()).digest()
