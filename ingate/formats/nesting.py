"""How deep a JSON text nests, without decoding it.

Valid JSON is assumed. Everything happens in whole-buffer operations, so that the cost is a few
nanoseconds a byte and no attacker's shape of body makes Python loop over it.
"""

_BRACKETS = bytes.maketrans(b"{}", b"[]")
_ESCAPED = b"\\/bfnrtu"  # what follows a backslash, beside a quote: taken away, another character would seem escaped
_NOT_STRUCTURE = bytes(set(range(256)) - set(b'[]{}"' + _ESCAPED))
_WINDOW = 64 * 1024
_SHORT = 1024
"""Bytes up to which looking twice for a byte costs less than making a text short."""


def deeper_than(body: bytes, levels: int) -> bool:
    """Tells whether any value lies inside more than `levels` arrays and objects."""
    if len(body) <= _SHORT and body.count(b"[") + body.count(b"{") <= levels:
        return False
    # First of all it is made short: whatever looks for two bytes costs more than this for each byte.
    structure = body.translate(_BRACKETS, _NOT_STRUCTURE)
    if structure.count(b"[") <= levels:
        return False  # as nearly always: not so many are opened at all, be it in strings
    if b"\\" in structure:
        # By what is as long, which is put in place.
        structure = structure.replace(b"\\\\", b"nn").replace(b'\\"', b"nn")
    structure = structure.translate(None, _ESCAPED)
    # Two quotes side by side are an empty string, or the end of one string and the start of the next
    # with nothing between: dropping them changes no bracket outside strings.
    brackets = _outside_strings(structure.replace(b'""', b""))
    for _ in range(levels):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")  # takes off the innermost level, everywhere
    return bool(brackets)


def _outside_strings(text: bytes) -> bytes:
    outside = []
    inside = 0
    for start in range(0, len(text), _WINDOW):
        parts = text[start : start + _WINDOW].split(b'"')
        outside.append(b"".join(parts[inside::2]))
        inside = (inside + len(parts) - 1) % 2
    return b"".join(outside)
