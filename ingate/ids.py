"""Identifiers and secrets. One way to make each."""

import hashlib
import os
import re
import secrets
import time

KEY_PREFIX = "sk-ingate-"
SESSION_PREFIX = "ses-ingate-"
INVITATION_PREFIX = "inv-ingate-"

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DRAWN_AT_ONCE = 4096
_drawn = b""
_used = 0
_millisecond = 0
_lead = ""
_tail = 0


def _random(size: int) -> int:
    """Returns so many random bytes as a number, drawn from the system for many ids at once."""
    global _drawn, _used  # noqa: PLW0603 -- a buffer
    if _used + size > len(_drawn):
        _drawn, _used = os.urandom(_DRAWN_AT_ONCE), 0
    _used += size
    return int.from_bytes(_drawn[_used - size : _used])


def uuid7() -> str:
    """Returns a UUIDv7 in its usual text form, greater than every one this process made before.

    The 48-bit millisecond clock leads, so text order is time order; within a millisecond (or when the
    clock steps back) the random tail is counted up by a random step instead of drawn anew.
    """
    global _lead, _millisecond, _tail  # noqa: PLW0603 -- the only state is "greater than the one before"
    now = time.time_ns() // 1_000_000
    if now > _millisecond:
        _millisecond = now
        digits = f"{now:012x}"
        _lead = f"{digits[:8]}-{digits[8:]}"
        # Two bits fewer than there are, so that counting up never overflows.
        _tail = _random(9)
    else:
        _tail += 1 + _random(2)
    return f"{_lead}-7{_tail >> 62:03x}-{0x8000 | _tail >> 48 & 0x3FFF:04x}-{_tail & 0xFFFF_FFFF_FFFF:012x}"


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
