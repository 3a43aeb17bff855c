"""Which tools a message asks for, and with which arguments. Knows words and JSON Schema; no conversation, no format.

A tool is asked for by its name, or in plain words: `What is the weather in Oslo and Paris?` asks twice for a tool
`get_weather` that takes a city. Values are taken from what is quoted, from names, and from what follows a preposition.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ingate.providers.demo import samples

SEARCHED = 65_536
"""Characters of a message in which names of tools are looked for."""
PLAIN = 2048
"""Characters of the longest message that is read for plain words; a longer one is a document."""
DESCRIBED = 200
"""Characters at the beginning of a tool's description that say what it is for."""
MOST_CALLS = 8
LONGEST_VALUE = 120


@dataclass(frozen=True, slots=True)
class Tool:
    """Something the model may call.

    `schema` is the JSON Schema of its arguments; a `free` tool takes any text instead. A `hosted` one is run by
    vendors, and so never called here.
    """

    name: str
    description: str
    schema: Any
    free: bool = False
    hosted: bool = False


Asked = tuple[Tool, dict[str, Any], str]
"""A tool, its arguments, and the text to give it instead if it is free."""


def calls(tools: Iterable[Tool], text: str, *, required: bool) -> list[Asked]:
    """Returns the calls that a message asks for, `MOST_CALLS` at most; the first tool where one is `required`."""
    callable_tools = [tool for tool in tools if not tool.hosted]
    if not callable_tools:
        return []
    text = text[:SEARCHED]
    chosen = _named(callable_tools, text) or _meant(callable_tools, text) or callable_tools[: int(required)]
    values = _values(text, [tool.name for tool in chosen])
    made: list[Asked] = []
    for tool in chosen:
        free = values[0] if values else " ".join(text.split())[:LONGEST_VALUE]
        made += [(tool, arguments, free) for arguments in _arguments(tool.schema, text, values)]
    return made[:MOST_CALLS]


def _named(tools: list[Tool], text: str) -> list[Tool]:
    """Returns the tools whose names stand in the text as words, in the order of the text."""
    folded = text.casefold()
    found = [(place, tool) for tool in tools if (place := _place(folded, tool.name.casefold())) is not None]
    return [tool for _, tool in sorted(found, key=lambda pair: pair[0])]


def _place(text: str, name: str) -> int | None:
    if name not in text:
        return None
    found = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)
    return None if found is None else found.start()


_PARTS = re.compile(r"[a-z]+|[A-Z][a-z]*")
_WORDS = re.compile(r"[a-z]{3,}")
_QUIET = frozenset(
    re.findall(
        r"\S+",
        """
a about add ask call check create current delete do edit execute fetch file find for from function get give given
has have how into list look lookup make mcp new of open put query read return returns run say send set show tell that
the this tool update use user using value what when where which with write you your
""",
    )
)
"""Words that say nothing of what a tool is about."""


def _meant(tools: list[Tool], text: str) -> list[Tool]:
    """Returns the tools whose names share half of their telling words with the text, or else whose descriptions do."""
    if len(text) > PLAIN:
        return []
    said = _telling(text.casefold())
    by_name = [tool for tool in tools if _shares(_telling(" ".join(_PARTS.findall(tool.name)).casefold()), said)]
    if by_name:
        return by_name
    described = ((len(_telling(tool.description[:DESCRIBED].casefold()) & said), tool) for tool in tools)
    best = max(described, key=lambda pair: pair[0])
    return [best[1]] if best[0] > 1 else []


def _shares(words: set[str], said: set[str]) -> bool:
    shared = len(words & said)
    return shared > 0 and shared * 2 >= len(words)


def _telling(text: str) -> set[str]:
    return {word.rstrip("s") for word in _WORDS.findall(text) if word not in _QUIET}


_QUOTED = re.compile(r"[\"“`]([^\"“”`\n]{1,120})[\"”`]")
_NAME = re.compile(r"[A-Z][\w'-]*(?: [A-Z][\w'-]*)*(?:, [A-Z]{2}\b)?")
_PREPOSITIONS = "in|for|of|about|on|at|to|from|with"
_AFTER = re.compile(
    rf"(?<!, )\b(?:{_PREPOSITIONS}) ([^.!?,;:\n]{{1,120}}(?:, (?!(?:{_PREPOSITIONS})\b)[^.!?,;:\n]{{1,60}})*)"
)
_BETWEEN = re.compile(r"\s*,\s*(?:and |or )?|\s+(?:and|or)\s+")
_ARTICLE = re.compile(r"^(?:the|a|an|my|our|your)\s+", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.])-?\d{1,15}(?:\.\d{1,6})?(?!\w)")


def _values(text: str, names: list[str]) -> list[str]:
    """Returns the values in a text: what it quotes, or the names in it, or what its last preposition is followed by."""
    text = text[:PLAIN]
    for name in names:
        text = text.replace(name, "it")
    quoted = _QUOTED.findall(text)
    if quoted:
        return [value.strip() for value in quoted[:MOST_CALLS] if value.strip()]
    # A capital at the beginning of a sentence makes no name.
    names = [found[0] for found in _NAME.finditer(text) if found[0] != "I" and not _begins(text, found.start())]
    if names:
        return list(dict.fromkeys(names))[:MOST_CALLS]
    after = _AFTER.findall(text)
    parts = [_ARTICLE.sub("", part).strip() for part in _BETWEEN.split(after[-1])] if after else []
    return [part for part in parts if part][:MOST_CALLS]


def _begins(text: str, place: int) -> bool:
    """Tells whether a sentence begins at a place."""
    before = text[:place].rstrip(" \t")
    return not before or before[-1] in ".!?:\n"


_BINDING = frozenset({"const", "enum", "format", "maxLength", "minLength", "pattern"})


def _arguments(schema: Any, text: str, values: list[str]) -> list[dict[str, Any]]:
    """Returns the arguments of each call: a sample that fits the schema, with the text's values where they fit.

    Several values for the one text that a tool takes are as many calls.
    """
    sample = samples.arguments(schema)
    properties = schema.get("properties") if isinstance(schema, dict) else None
    known = properties if isinstance(properties, dict) else {}
    texts = [name for name in sample if _is_free_text(known.get(name))]
    if not sample and len(known) <= samples.MOST_NODES:
        # Where nothing is required, a model still states what the message is about: the first text that the tool takes.
        texts = [name for name, described in known.items() if _is_free_text(described)][:1]
    numbers = iter(_NUMBER.findall(text[:PLAIN]))
    for name, described in known.items():
        value: str | float | None = _mentioned(described, text)
        if value is None and name in sample and _is(described, "integer", "number"):
            value = _number(described, next(numbers, ""))
        if value is not None and (name in sample or len(known) <= samples.MOST_NODES):
            sample[name] = value
        if name in sample and _is(described, "array") and values and _is_free_text(described.get("items")):
            sample[name] = _as_many(described, values)
    if len(texts) == 1 and len(values) > 1:
        return [sample | {texts[0]: value} for value in values]
    return [sample | dict(zip(texts, values, strict=False))]


def _is(schema: Any, *kinds: str) -> bool:
    return isinstance(schema, dict) and samples.kind(schema) in kinds


def _is_free_text(schema: Any) -> bool:
    return _is(schema, "string") and _BINDING.isdisjoint(schema) and "$ref" not in schema


def _mentioned(schema: Any, text: str) -> str | None:
    """Returns the choice of an enumeration that the text has in it."""
    choices = schema.get("enum") if isinstance(schema, dict) else None
    if not isinstance(choices, list):
        return None
    folded = text[:PLAIN].casefold()
    several = [choice for choice in choices[: samples.MOST_CHOICES] if isinstance(choice, str) and len(choice) > 1]
    return next((choice for choice in several if _place(folded, choice.casefold()) is not None), None)


def _number(schema: dict[str, Any], digits: str) -> float | None:
    if not digits:
        return None
    if samples.kind(schema) == "integer":
        value: float = int(digits.partition(".")[0])
    else:
        value = float(digits)
    return value if samples.in_bounds(schema, value) else None


def _as_many(schema: dict[str, Any], values: list[str]) -> list[str]:
    least, most = samples.size(schema)
    return [values[place % len(values)] for place in range(max(least, min(len(values), most)))]
