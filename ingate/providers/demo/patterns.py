"""A text that a regular expression matches, made from the expression. Knows Python's syntax of them; runs none.

Expressions are not run, for one that a caller wrote may take for ever on a text of thirty letters.
"""

import re
from collections.abc import Callable
from re import _constants as names  # type: ignore[attr-defined]  # the parser has no public name since Python 3.11
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

LONGEST_PATTERN = 256
LONGEST_TEXT = 256

_IN_CATEGORY = {names.CATEGORY_DIGIT: "1", names.CATEGORY_WORD: "a", names.CATEGORY_SPACE: " "}
_CANDIDATES = "a1A-_. /:@"


class _Unmet(Exception):
    """The expression has something that is not made up here, such as a look-around."""


def matching(pattern: str) -> str | None:
    """Returns the shortest text that the pattern describes, None where it is not one that can be told."""
    if len(pattern) > LONGEST_PATTERN:
        return None
    try:
        return _all(parser.parse(pattern))
    except (re.error, OverflowError, RecursionError, _Unmet):
        return None


def _all(parsed: Any) -> str:
    text = ""
    for token, argument in parsed:
        text += _text(token, argument)
        if len(text) > LONGEST_TEXT:
            raise _Unmet
    return text


def _text(token: Any, argument: Any) -> str:
    if token in _REPEATS:
        least, _, repeated = argument
        if least > LONGEST_TEXT:
            raise _Unmet
        return _all(repeated) * int(least)
    make = _MAKES.get(token)
    if make is None:
        raise _Unmet
    return make(argument)


def _one(items: Any) -> str:
    """Returns a character of a class."""
    if items[0][0] is names.NEGATE:
        outside = items[1:]
        return next((letter for letter in _CANDIDATES if not any(_has(item, letter) for item in outside)), "~")
    token, argument = items[0]
    if token is names.RANGE:
        return chr(argument[0])
    if token is names.CATEGORY and argument in _IN_CATEGORY:
        return _IN_CATEGORY[argument]
    if token is names.CATEGORY:
        return "-"
    return chr(argument)


def _has(item: Any, letter: str) -> bool:
    token, argument = item
    if token is names.LITERAL:
        return chr(argument) == letter
    if token is names.RANGE:
        return bool(argument[0] <= ord(letter) <= argument[1])
    kinds = {
        names.CATEGORY_DIGIT: letter.isdigit(),
        names.CATEGORY_NOT_DIGIT: not letter.isdigit(),
        names.CATEGORY_WORD: letter.isalnum() or letter == "_",
        names.CATEGORY_NOT_WORD: not (letter.isalnum() or letter == "_"),
        names.CATEGORY_SPACE: letter.isspace(),
    }
    return kinds.get(argument, not letter.isspace())


_REPEATS = (names.MAX_REPEAT, names.MIN_REPEAT, names.POSSESSIVE_REPEAT)
_MAKES: dict[Any, Callable[[Any], str]] = {
    names.LITERAL: chr,
    names.ANY: lambda _: "a",
    names.AT: lambda _: "",
    names.NOT_LITERAL: lambda code: _one([(names.NEGATE, None), (names.LITERAL, code)]),
    names.IN: _one,
    names.SUBPATTERN: lambda argument: _all(argument[-1]),
    names.BRANCH: lambda argument: _all(argument[1][0]),
}
