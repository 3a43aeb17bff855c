"""A value that fits a JSON Schema, always the same one for the same schema. Knows JSON Schema and nothing of models.

Both spellings of types are read (`string` and Gemini's `STRING`). What a schema asks by `not`, `if`, `contains` or
`dependentRequired`, and by patterns that look around or back, is not met.
"""

import math
from itertools import count
from typing import Any

import msgspec

from ingate.providers.demo import patterns

DEEPEST = 24
MOST_NODES = 256
LONGEST_STRING = 256
LONGEST_VALUE = 1024
MOST_CHOICES = 64
MOST_ITEMS = 8
MOST_JOINED = 1024
LARGEST_NUMBER = 2**53

_FORMATS = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "duration": "PT1S",
    "email": "demo@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def sample(schema: Any) -> Any:
    """Returns a JSON value of the type `schema` asks for; null where it asks for nothing readable.

    Objects hold their required properties. Depth, nodes and lengths are bounded, so a
    hostile schema costs little; beyond the bounds objects and arrays hold less than was asked.
    """
    return _value(schema, schema, 0, list(range(MOST_NODES)))


def arguments(schema: Any) -> dict[str, Any]:
    """Returns arguments for a function whose parameters are `schema`; none where it describes no object."""
    value = sample(schema)
    return value if isinstance(value, dict) else {}


def kind(schema: dict[str, Any]) -> str:
    """Returns the type that a schema asks for first, in lower case; empty where it asks for none."""
    named = schema.get("type")
    if isinstance(named, list):
        named = next((item for item in named if isinstance(item, str) and item.lower() != "null"), "null")
    if isinstance(named, str):
        return named.lower()
    if not _OBJECTS.isdisjoint(schema):
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else "string" if schema else ""


def in_bounds(schema: dict[str, Any], value: float) -> bool:
    """Tells whether a number is within a schema's bounds."""
    least, most = _range(schema, whole=False)
    multiple = _limit(schema, "multipleOf")
    return least <= value <= most and (not multiple or value % multiple == 0)


def size(schema: dict[str, Any]) -> tuple[int, int]:
    """Returns how many items an array has at least and at most."""
    least = min(_bound(schema, "minItems", 0), MOST_ITEMS)
    return least, min(_bound(schema, "maxItems", MOST_ITEMS), MOST_ITEMS)


_OBJECTS = frozenset({"properties", "required", "additionalProperties", "minProperties"})
_EMPTY: dict[str, Any] = {"object": {}, "array": [], "string": "demo", "integer": 1, "number": 1, "boolean": True}


def _value(schema: Any, root: Any, depth: int, nodes: list[int]) -> Any:
    # Every value costs one node, so neither references nor breadth multiply.
    if nodes:
        nodes.pop()
    if not isinstance(schema, dict):
        return None
    if depth > DEEPEST or not nodes:
        return _EMPTY.get(kind(schema))
    if fixed := _fixed(schema):
        return fixed[0]
    inner = _inner(schema, root)
    return _typed(schema, root, depth, nodes) if inner is None else _value(inner, root, depth + 1, nodes)


def _typed(schema: dict[str, Any], root: Any, depth: int, nodes: list[int]) -> Any:
    named = kind(schema)
    if named == "object":
        return _object(schema, root, depth, nodes)
    if named == "array":
        return _array(schema, root, depth, nodes)
    if named == "string":
        return _string(schema)
    return _number(schema, whole=named == "integer") if named in ("integer", "number") else _EMPTY.get(named)


def _fixed(schema: dict[str, Any]) -> list[Any]:
    choices = [schema["const"]] if "const" in schema else schema.get("enum")
    if not isinstance(choices, list):
        return []
    return [value for value in choices[:1] if len(msgspec.json.encode(value)) <= LONGEST_VALUE]


def _inner(schema: dict[str, Any], root: Any) -> dict[str, Any] | None:
    """Returns the schema that another stands for: what it refers to, all that it is made of, or its first choice."""
    target = _referred(schema.get("$ref"), root)
    if isinstance(target, dict):
        return _joined(_without(schema, "$ref"), target)
    parts = schema.get("allOf")
    if isinstance(parts, list):
        made = _without(schema, "allOf")
        for part in parts[:MOST_CHOICES]:
            if isinstance(part, dict):
                referred = _referred(part.get("$ref"), root)
                made = _joined(made, referred if isinstance(referred, dict) else part)
        return made
    for key in ("anyOf", "oneOf"):
        choices = schema.get(key)
        if isinstance(choices, list):
            several = [item for item in choices[:MOST_CHOICES] if isinstance(item, dict)]
            chosen = next((item for item in several if kind(item) != "null"), several[0] if several else {})
            return _joined(_without(schema, key), chosen)
    return None


def _without(schema: dict[str, Any], key: str) -> dict[str, Any]:
    # What is large beyond reason is left out: copies of it add up.
    if len(schema) > MOST_NODES:
        return {}
    return {name: value for name, value in schema.items() if name != key}


def _joined(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Returns what asks for all that two schemas ask for; of a bound that both state, the other's."""
    if len(other) > MOST_NODES:
        return one
    made = one | other
    properties = [given for given in (one.get("properties"), other.get("properties")) if isinstance(given, dict)]
    if sum(map(len, properties)) <= MOST_JOINED:
        made |= {"properties": {name: value for given in properties for name, value in given.items()}}
    required = [given for given in (one.get("required"), other.get("required")) if isinstance(given, list)]
    if sum(map(len, required)) <= MOST_JOINED:
        made |= {"required": [name for given in required for name in given]}
    return {name: value for name, value in made.items() if value or name not in ("properties", "required")}


def _referred(reference: Any, root: Any) -> Any:
    if not isinstance(reference, str) or not reference.startswith("#") or len(reference) > LONGEST_STRING:
        return None
    target = root
    for step in reference[1:].split("/")[1:]:
        if not isinstance(target, dict):
            return None
        target = target.get(step.replace("~1", "/").replace("~0", "~"))
    return target


def _object(schema: dict[str, Any], root: Any, depth: int, nodes: list[int]) -> dict[str, Any]:
    properties, required = schema.get("properties"), schema.get("required")
    known = properties if isinstance(properties, dict) else {}
    asked = required[:MOST_NODES] if isinstance(required, list) else []
    names = [name for name in asked if isinstance(name, str) and len(name) <= LONGEST_STRING]
    least = min(_bound(schema, "minProperties", 0), MOST_ITEMS)
    if len(set(names)) < least:
        more = (*known, *(f"demo{number}" for number in range(least)))
        names += [name for name in more if name not in names and len(name) <= LONGEST_STRING][: least - len(set(names))]
    others = schema.get("additionalProperties")
    other = others if isinstance(others, dict) else {"type": "string"}
    return {name: _value(known.get(name, other), root, depth + 1, nodes) for name in names if nodes}


def _array(schema: dict[str, Any], root: Any, depth: int, nodes: list[int]) -> list[Any]:
    first, item = schema.get("prefixItems"), schema.get("items", {"type": "string"})
    ahead = first[:MOST_ITEMS] if isinstance(first, list) else []
    # One item shows the shape better than none, unless the schema forbids it or does not say what an item is.
    least, most = size(schema)
    length = min(max(least, len(ahead), 1 if "items" in schema and item is not False else 0), most)
    made = [_value(part, root, depth + 1, nodes) for part in (ahead + [item] * length)[:length]]
    return _distinct(made, item, least) if schema.get("uniqueItems") is True else made


def _distinct(values: list[Any], item: Any, least: int) -> list[Any]:
    """Returns values of which no two are the same, as far as others of their kind are known."""
    choices = item.get("enum") if isinstance(item, dict) else None
    if isinstance(choices, list):
        return choices[: max(least, 1)]
    seen: list[Any] = []
    for value in values:
        others = (_after(value, step) for step in count())
        seen.append(next((other for other in others if other not in seen), value) if _has_others(value) else value)
    return seen if all(map(_has_others, values)) else values[:1]


def _has_others(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _after(value: Any, step: int) -> Any:
    return value if not step else f"{value}{step}" if isinstance(value, str) else value + step


def _string(schema: dict[str, Any]) -> str:
    form, pattern = schema.get("format"), schema.get("pattern")
    if isinstance(pattern, str) and (matching := patterns.matching(pattern)) is not None:
        return matching
    if isinstance(form, str) and form in _FORMATS:
        return _FORMATS[form]
    least = min(_bound(schema, "minLength", 0), LONGEST_STRING)
    text = "demo" * (least // 4 + 1)
    return text[: max(least, min(4, _bound(schema, "maxLength", 4)))]


def _number(schema: dict[str, Any], *, whole: bool) -> float:
    least, most = _range(schema, whole=whole)
    value: float = max(math.ceil(least), min(1, math.floor(most))) if whole else max(least, min(1, most))
    multiple = _limit(schema, "multipleOf")
    if not multiple or multiple < 0:
        return value
    step = -(-value // multiple)
    return step * multiple if step * multiple <= most else (most // multiple) * multiple


def _range(schema: dict[str, Any], *, whole: bool) -> tuple[float, float]:
    step = 1 if whole else 0.5
    low, high = _limit(schema, "minimum"), _limit(schema, "maximum")
    above, below = _limit(schema, "exclusiveMinimum"), _limit(schema, "exclusiveMaximum")
    lows = (low, None if above is None else (math.floor(above) if whole else above) + step)
    highs = (high, None if below is None else (math.ceil(below) if whole else below) - step)
    least = max((bound for bound in lows if bound is not None), default=-LARGEST_NUMBER)
    return least, min((bound for bound in highs if bound is not None), default=LARGEST_NUMBER)


def _limit(schema: dict[str, Any], key: str) -> float | None:
    value = schema.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > LARGEST_NUMBER:
        return None
    return value


def _bound(schema: dict[str, Any], key: str, default: int) -> int:
    value = _limit(schema, key)
    # Gemini's schemas write these 64-bit numbers as strings.
    text = schema.get(key)
    if value is None and isinstance(text, str) and text.isascii() and text.isdigit():
        value = min(int(text[:16]), LARGEST_NUMBER)
    return default if value is None else max(0, int(value))
