"""Reading a request body field by field, and the fault that names the field which is wrong.

Knows JSON values; knows no vendor, neither its field names nor its error bodies.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

JsonObject = dict[str, Any]
T = TypeVar("T")

MOST_ITEMS = 20_000
MOST_BRACES = 100_000
"""Opening braces in a body: a bound on its objects that costs nothing to check."""
LARGEST_COUNT = 2**31 - 1
MOST_STOPS = 64
MOST_CHOICES = 8
MOST_ALTERNATIVES = 20


class Fault(Exception):
    """What the caller did wrong: HTTP status, sentence, the field it is about, and a stable code.

    Codes: `invalid_json`, `missing_required_parameter`, `invalid_value`, `request_too_large`,
    `context_length_exceeded`, `model_not_found`, `previous_response_not_found`, `response_not_found`, `unknown_url`,
    `method_not_allowed`, and what models say that answer errors: `rate_limit_exceeded`, `server_error` and the like.
    """

    def __init__(self, status: int, message: str, code: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.field = field


def missing(field: str) -> Fault:
    """Returns the fault for a field that is not there."""
    return Fault(400, f"Missing required parameter: '{field}'.", "missing_required_parameter", field)


def invalid(field: str, expected: str) -> Fault:
    """Returns the fault for a field whose value is not what was `expected`."""
    return Fault(400, f"Invalid value for '{field}': expected {expected}.", "invalid_value", field)


def decode(body: bytes) -> JsonObject:
    """Returns the JSON object in `body`. Raises `Fault`."""
    if body.count(b"{") > MOST_BRACES:
        raise Fault(413, f"The request body has more than {MOST_BRACES} opening braces.", "request_too_large")
    try:
        value = msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:
        # msgspec's errors and bad UTF-8 are ValueErrors; nesting beyond the interpreter's stack is a RecursionError.
        raise Fault(400, f"The request body is not valid JSON: {str(error)[:200]}.", "invalid_json") from None
    if not isinstance(value, dict):
        raise Fault(400, "The request body must be a JSON object.", "invalid_json")
    return value


def path(where: str, key: str) -> str:
    """Returns the name of member `key` of the object at `where` (`""` is the body itself)."""
    return f"{where}.{key}" if where else key


def maybe(convert: Callable[[Any, str], T], members: JsonObject, key: str, where: str = "") -> T | None:
    """Returns the converted member, or None where it is absent or null. Raises `Fault`."""
    value = members.get(key)
    return None if value is None else convert(value, path(where, key))


def must(convert: Callable[[Any, str], T], members: JsonObject, key: str, where: str = "") -> T:
    """Returns the converted member. Raises `Fault` where it is absent, null or wrong."""
    value = members.get(key)
    if value is None:
        raise missing(path(where, key))
    return convert(value, path(where, key))


def as_object(value: Any, field: str) -> JsonObject:
    """Returns `value` if it is an object. Raises `Fault`."""
    if isinstance(value, dict):
        return value
    raise invalid(field, "an object")


def as_array(value: Any, field: str) -> list[Any]:
    """Returns `value` if it is an array of at most `MOST_ITEMS`. Raises `Fault`."""
    if not isinstance(value, list):
        raise invalid(field, "an array")
    if len(value) > MOST_ITEMS:
        raise invalid(field, f"an array of at most {MOST_ITEMS} items")
    return value


def as_filled_array(value: Any, field: str) -> list[Any]:
    """Returns `value` if it is an array with something in it. Raises `Fault`."""
    items = as_array(value, field)
    if not items:
        raise invalid(field, "an array with at least one item")
    return items


def as_text(value: Any, field: str) -> str:
    """Returns `value` if it is a string. Raises `Fault`."""
    if isinstance(value, str):
        return value
    raise invalid(field, "a string")


def as_name(value: Any, field: str) -> str:
    """Returns `value` if it is a string with something in it. Raises `Fault`."""
    if isinstance(value, str) and value:
        return value
    raise invalid(field, "a non-empty string")


def as_flag(value: Any, field: str) -> bool:
    """Returns `value` if it is a boolean. Raises `Fault`."""
    if isinstance(value, bool):
        return value
    raise invalid(field, "a boolean")


def as_integer(value: Any, field: str) -> int:
    """Returns `value` if it is an integer of at most 32 bits. Raises `Fault`."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST_COUNT:
        return value
    raise invalid(field, "an integer")


def as_count(value: Any, field: str) -> int:
    """Returns `value` if it is an integer of at least one. Raises `Fault`."""
    if as_integer(value, field) >= 1:
        return int(value)
    raise invalid(field, "an integer of at least 1")


def as_few(value: Any, field: str) -> int:
    """Returns `value` if it is a number of choices that the demo model gives. Raises `Fault`."""
    if 1 <= as_integer(value, field) <= MOST_CHOICES:
        return int(value)
    raise invalid(field, f"an integer from 1 to {MOST_CHOICES}")


def as_alternatives(value: Any, field: str) -> int:
    """Returns `value` if it is a number of alternatives to tell of each token. Raises `Fault`."""
    if 0 <= as_integer(value, field) <= MOST_ALTERNATIVES:
        return int(value)
    raise invalid(field, f"an integer from 0 to {MOST_ALTERNATIVES}")


def as_stops(value: Any, field: str) -> tuple[str, ...]:
    """Returns the stop sequences in a string or an array of strings, empty ones left out. Raises `Fault`."""
    stops = [value] if isinstance(value, str) else as_array(value, field)
    if len(stops) > MOST_STOPS:
        raise invalid(field, f"at most {MOST_STOPS} sequences")
    return tuple(stop for place, item in enumerate(stops) if (stop := as_text(item, f"{field}[{place}]")))
