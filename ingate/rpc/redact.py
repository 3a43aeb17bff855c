"""Messages as log lines may show them: secrets out, bytes by length, everything bounded.

gRPC's own printing ignores `debug_redact` in Python, so this is the only way a message reaches a log.
"""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from ingate.logs import MASK, SECRET_NAMES, mask

MAX_TEXT = 200
"""Characters of a string that are shown."""
MAX_ITEMS = 20
"""Items of a list or map that are shown."""
MAX_DEPTH = 6
"""Levels of messages that are shown."""
MAX_VALUES = 500
"""Values of one message that are shown in all."""


class _Budget:
    """How many more values may be shown."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_VALUES

    def spend(self) -> bool:
        self.left -= 1
        return self.left >= 0


def redacted(message: Message) -> dict[str, Any]:
    """Returns the set fields of a message by name, fit for a log line.

    Fields with `debug_redact`, and values whose name or look says secret, become `***`; bytes become `<n bytes>`;
    what is beyond a bound becomes `…`.
    """
    return _message(message, 0, _Budget())


def _message(message: Message, depth: int, budget: _Budget) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    header = str(getattr(message, "name", "")).lower() in SECRET_NAMES
    for field, value in message.ListFields():
        if not budget.spend():
            shown["…"] = "…"
            break
        if field.GetOptions().debug_redact or (header and field.name == "value"):
            shown[field.name] = MASK
        else:
            shown[field.name] = _field(field, value, depth, budget)
    return shown


def _field(field: FieldDescriptor, value: Any, depth: int, budget: _Budget) -> Any:
    if not field.is_repeated:
        return _value(field, value, depth, budget)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return _map(field.message_type.fields_by_name["value"], value, depth, budget)
    items = [_value(field, item, depth, budget) for item in value[:MAX_ITEMS] if budget.spend()]
    return items if len(items) == len(value) else [*items, f"… {len(value)} items"]


def _map(field: FieldDescriptor, values: Any, depth: int, budget: _Budget) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for key in values:
        if len(shown) == MAX_ITEMS or not budget.spend():
            shown["…"] = f"{len(values)} items"
            break
        secret = str(key).lower() in SECRET_NAMES
        shown[_text(str(key))] = MASK if secret else _value(field, values[key], depth, budget)
    return shown


def _value(field: FieldDescriptor, value: Any, depth: int, budget: _Budget) -> Any:
    if field.message_type is not None:
        return _message(value, depth + 1, budget) if depth + 1 < MAX_DEPTH else "…"
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, str):
        return _text(value)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known is not None else value
    return value


def _text(value: str) -> str:
    # Masked before it is cut: half a secret no longer looks like one.
    shown = mask(value[: 4 * MAX_TEXT])
    return shown if len(shown) <= MAX_TEXT and len(value) <= 4 * MAX_TEXT else shown[:MAX_TEXT] + "…"
