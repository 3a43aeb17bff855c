"""The demo model's tokenizer. Knows text only.

A token is a run of at most four letters and digits, or of at most four other
marks, each with the single blank before it, or a run of at most four blanks.
Tokens joined give the text back, so counting what was emitted is exact.
"""

import re

LONGEST_TOKEN = 5
"""Characters in the longest token: four and the blank before them."""

_TOKEN = re.compile(r" ?\w{1,4}| ?[^\w\s]{1,4}|\s{1,4}")


def split(text: str) -> tuple[str, ...]:
    """Returns the tokens of `text` in order; joined they are `text`."""
    return tuple(_TOKEN.findall(text))


def count(text: str) -> int:
    """Returns how many tokens `text` has."""
    # Counting substitutions makes no list of a million small strings, as split() would for a large prompt.
    return _TOKEN.subn("", text)[1]
