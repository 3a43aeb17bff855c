"""Query strings to name and value pairs. Knows no fields and no dialect."""

from rest_facade.router import decode

Pairs = list[tuple[str, str]]


MAX_PAIRS = 256


class BadQuery(Exception):
    """The query is malformed; the message says how."""


def parse(query: str, *, strict: bool) -> Pairs:
    """Returns the pairs in order, `+` as blank. What is malformed raises `BadQuery`, or is dropped when not strict.

    More than `MAX_PAIRS` raise it in any case.
    """
    pairs: Pairs = []
    if not query:
        return pairs
    parts = query.split("&", MAX_PAIRS)
    if len(parts) > MAX_PAIRS:
        raise BadQuery("the query has too many parameters")
    for part in parts:
        if not part:
            continue
        name, _, value = part.partition("=")
        try:
            pairs.append((decode(name.replace("+", " ")), decode(value.replace("+", " "))))
        except ValueError:
            if strict:
                raise BadQuery("the query is not valid percent-encoded UTF-8") from None
    return pairs
