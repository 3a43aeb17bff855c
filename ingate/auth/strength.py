"""Whether a password is good enough. Takes up to a fifth of a second of a core: not for the event loop."""

import threading
import unicodedata
from collections.abc import Iterable

LONG = 12
HARD = 3
"""zxcvbn's score from which a shorter password is taken: more than 10^8 guesses."""
COMMON = 1
"""zxcvbn's score up to which one of any length is refused: fewer than 10^6 guesses."""
SHORTEST_NAME = 4
JUDGED = 24
"""Characters that zxcvbn is given. Its time grows with the square of the length, and what is wrong shows in these."""
# It tries the product of all readings of such characters. One of a kind is as good, and bounds the time.
_ALIKE = str.maketrans("{[<|", "(((!")
# It keeps the words of one call in a table of its module.
_one_at_a_time = threading.Lock()


def weakness(password: str, names: Iterable[str]) -> str | None:
    """Returns what is wrong with a password, to follow a field's name, or None.

    `names` are what is known of its person: address, organisation. One that the password contains makes it weak.
    """
    known = [_plain(name) for name in names]
    plain = _plain(password)
    if any(len(name) >= SHORTEST_NAME and name in plain for name in known):
        return "must not contain the e-mail address or the name of the organisation"
    score = _score(password, known)
    if score <= COMMON:
        return "is too common or too regular: choose one that is harder to guess"
    if len(password) < LONG and score < HARD:
        return f"must have at least {LONG} characters, or be harder to guess"
    return None


def _plain(text: str) -> str:
    """Returns letters and digits alone, folded."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))


def _score(password: str, names: list[str]) -> int:
    from zxcvbn import zxcvbn  # noqa: PLC0415 -- its word lists take 14 MiB and a tenth of a second, at first use

    with _one_at_a_time:
        found = zxcvbn(password[:JUDGED].translate(_ALIKE), user_inputs=[name for name in names if name])
    return int(found["score"])
