"""E-mail addresses as they are compared."""

import unicodedata

from ingate.errors import BadRequest

MAX_EMAIL = 254


def email_key(email: str) -> str:
    """Returns the form in which two spellings of one mailbox are equal. Raises BadRequest when that is too long."""
    key = unicodedata.normalize("NFKC", email).casefold()
    if len(key) > MAX_EMAIL:
        raise BadRequest.field("email", f"must have at most {MAX_EMAIL} characters, compatibility forms spelled out")
    return key
