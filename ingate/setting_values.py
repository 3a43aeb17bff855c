"""Reads one setting: from what was written to a value of its type, or to a sentence that says what would do.

Knows neither where it was written nor whether it is a secret.
"""

import importlib
import math
import re
from typing import Any

from ingate.config import Setting
from ingate.errors import BadRequest

TRUE = ("true", "yes", "on", "1")
FALSE = ("false", "no", "off", "0")
_SLUGS = re.compile(r"[a-z0-9-]{1,63}( *, *[a-z0-9-]{1,63}){0,999}")
_SERVER = re.compile(r"(https?://)?(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:\d{1,5})?(/[!-~]*)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_CREDENTIAL = re.compile(r"[!-~](?:[ -~]{0,8190}[!-~])?")


class Unfit(Exception):
    """A value that a setting cannot have. The message continues the sentence that begins with the value."""


def read(setting: Setting, written: Any) -> Any:
    """Returns the value of what was written, text or a value of TOML. Raises Unfit, which does not quote it."""
    text = written.strip() if isinstance(written, str) else written
    if setting.type is bool:
        return _boolean(text)
    if setting.type in {int, float}:
        return _number(setting, text)
    if isinstance(text, bool) and set(setting.choices) >= {"yes", "no"}:
        text = "yes" if text else "no"
    if not isinstance(text, str):
        raise Unfit("must be text")
    return _choice(setting, text) if setting.choices else _text(setting, text)


def _boolean(text: Any) -> bool:
    word = str(text).lower()
    if isinstance(text, bool | int | str) and word in TRUE + FALSE:
        return word in TRUE
    raise Unfit(f"must be one of {', '.join(TRUE + FALSE)}")


def _number(setting: Setting, text: Any) -> float:
    whole = setting.type is int
    value: float | None = None
    if isinstance(text, str):
        if (_WHOLE if whole else _DECIMAL).fullmatch(text):
            value = int(text) if whole else float(text)
    elif isinstance(text, int | float) and not isinstance(text, bool) and not (whole and isinstance(text, float)):
        value = text
    if value is None or not math.isfinite(value) or not _within(setting, value):
        raise Unfit(f"must be {'a whole number' if whole else 'a number'}{_bounds(setting)}")
    return value if whole else float(value)


def _within(setting: Setting, value: float) -> bool:
    return (
        (setting.least is None or value >= setting.least)
        and (setting.above is None or value > setting.above)
        and (setting.most is None or value <= setting.most)
    )


def _bounds(setting: Setting) -> str:
    least, above, most = setting.least, setting.above, setting.most
    if most is None:
        return f" of at least {least}" if above is None else f" above {above}"
    return f" from {least} to {most}" if above is None else f" above {above} and up to {most}"


def _choice(setting: Setting, text: str) -> str:
    word = text.lower()
    if word in setting.choices:
        return word
    if {"yes", "no"} <= set(setting.choices) and word in TRUE + FALSE:
        return "yes" if word in TRUE else "no"
    raise Unfit(f"must be one of {', '.join(setting.choices)}")


def _text(setting: Setting, text: str) -> str:
    if "\0" in text:
        raise Unfit("must not contain NUL")
    if setting.check:
        module, _, name = setting.check.partition(":")
        try:
            getattr(importlib.import_module(module), name)(text)
        except BadRequest as error:
            raise Unfit(error.fields.get(setting.name, error.message)) from None
    return text


def slugs(text: str) -> None:
    """Checks a list of organisations. Raises BadRequest."""
    words = _SLUGS.fullmatch(text.lower())
    if words is None or (words[1] and "all" in (word.strip() for word in text.lower().split(","))):
        raise BadRequest("must be first, all, or slugs of organisations separated by commas")


def credential(text: str) -> None:
    """Checks what is sent as a header or as metadata, where nothing else can stand. Raises BadRequest."""
    if not _CREDENTIAL.fullmatch(text):
        raise BadRequest("must be printable ASCII, at most 8192 characters")


def server(text: str) -> None:
    """Checks the address of a server. Raises BadRequest."""
    if not _SERVER.fullmatch(text):
        raise BadRequest("must be a host, with a port or not, or a URL that begins with http:// or https://")
