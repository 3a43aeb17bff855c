"""The `Accept` header: how much a caller wants a media type (RFC 9110, 12.5.1). Pure."""

import re
from collections.abc import Iterator

_QUALITY = re.compile(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?", re.ASCII)
# Commas and semicolons inside quoted strings separate nothing.
_RANGES = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_PARTS = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*")+')


def quality(header: str, media_type: str) -> tuple[float, int]:
    """Returns the quality from 0 to 1 that a header gives to a type such as `text/html`, 0 where it is not accepted.

    The second number is how exactly it is named: 2 as itself, 1 as `text/*`, 0 as `*/*` or not at all. The most exact
    range counts; one with a parameter means another representation, unless that is the charset UTF-8, and one whose
    weight is malformed is none. Without a header anything is accepted.
    """
    if not header.strip():
        return 1.0, 0
    family = media_type.partition("/")[0]
    exactness = {media_type: 2, f"{family}/*": 1, "*/*": 0}
    found = [(exactness[name], weight) for name, weight in _ranges(header) if name in exactness]
    exact, weight = max(found, default=(0, 0.0))
    return weight, exact


def _ranges(header: str) -> Iterator[tuple[str, float]]:
    """Yields each media range that can be meant, in lower case, and its weight."""
    for text in _RANGES.findall(header):
        name, *parameters = (part.strip().lower() for part in _PARTS.findall(text))
        weight = "1"
        for parameter in parameters:
            key, _, value = (piece.strip() for piece in parameter.partition("="))
            if key == "q":
                weight = value
                break
            if (key, value.strip('"')) != ("charset", "utf-8"):
                weight = ""
                break
        if _QUALITY.fullmatch(weight):
            yield name, float(weight)
