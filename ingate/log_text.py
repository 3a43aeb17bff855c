"""Log lines for people: the time of this place, a status, what happened; aligned, and coloured where that is shown.

What callers and providers name is theirs: nothing of it that is not printable reaches a terminal.
"""

import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from ingate.log_words import SENTENCES

_RESET = "\x1b[0m"
_COLOURS = {"good": "\x1b[32m", "bad": "\x1b[31m", "odd": "\x1b[33m", "faint": "\x1b[2m", "plain": ""}
_LEVELS = {"debug": "faint", "info": "plain", "warning": "odd", "error": "bad", "critical": "bad"}
_STATUSES = {
    "bad_request": 400,
    "validation": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "payload_too_large": 413,
    "rate_limited": 429,
    "not_implemented": 501,
    "unavailable": 503,
}
"""HTTP statuses of the reasons for which calls are refused."""


class TextRenderer:
    """The last processor: makes a line of an event, in bytes with its colours."""

    def __init__(self, *, colours: bool, dates: bool = False) -> None:
        self._colours = colours
        self._form = "%Y-%m-%d %H:%M:%S" if dates else "%H:%M:%S"

    def __call__(self, _logger: Any, _method: str, event: Mapping[str, Any]) -> bytes:
        """Returns the line without its end. Never fails, whatever the event holds."""
        fields = dict(event)
        name = str(fields.pop("event", ""))
        level = str(fields.pop("level", ""))
        trace = fields.pop("exception", None)
        try:
            status, tone, words = _LAYOUTS.get(name, _anything)(name, level, fields)
        except (ArithmeticError, LookupError, TypeError, ValueError):
            status, tone, words = _anything(name, level, fields)
        at = time.strftime(self._form, time.localtime(fields.get("at")))
        line = f"{self._paint('faint', at)}  {self._paint(tone, f'{_printable(status):<7}')}  {words}"
        if trace:
            line += "\n" + "\n".join("    " + _printable(part) for part in str(trace).splitlines())
        return line.rstrip().encode(errors="replace")

    def _paint(self, tone: str, text: str) -> str:
        colour = _COLOURS[tone] if self._colours else ""
        return f"{colour}{text}{_RESET}" if colour else text


def _call(_name: str, level: str, fields: Mapping[str, Any]) -> tuple[Any, str, str]:
    status = fields["status"]
    tone = "good" if status < 400 and level == "info" else "odd" if 400 <= status < 500 else "bad"
    cached, reasoned = fields.get("cache_read_tokens"), fields.get("reasoning_tokens")
    asked = _sum(fields["input_tokens"], cached, fields.get("cache_write_tokens"))
    answered = _sum(fields["output_tokens"], reasoned)
    tokens = "" if asked is None and answered is None else f"{_count(asked)} > {_count(answered)} tokens"
    cost = "" if fields["cost_usd"] is None else f"${_rounded(fields['cost_usd'])}"
    words = (
        f"{_cell(fields['provider'], 10)}  {_cell(fields['model'], 24)}  {tokens:>22}  {cost:>11}"
        f"  {fields['ms']:>8.0f} ms  {_printable(fields['key'] or fields['key_id'])}"
    )
    return (
        status,
        tone,
        words
        + _trailing(
            cached=cached,
            reasoning=reasoned,
            error=fields.get("error"),
            left_out=fields.get("left_out"),
            id=fields.get("id"),
        ),
    )


def _refused(_name: str, _level: str, fields: Mapping[str, Any]) -> tuple[Any, str, str]:
    reason = str(fields["reason"])
    why = fields.get("why") or reason.replace("_", " ")
    words = f"refused     {_printable(why)}" + _trailing(
        key=fields["key"], address=fields["address"], left_out=fields.get("before")
    )
    return _STATUSES.get(reason, "refused"), "odd", words


def _rpc(_name: str, _level: str, fields: Mapping[str, Any]) -> tuple[Any, str, str]:
    code = str(fields["code"])
    tone = {"OK": "good", "CANCELLED": "plain"}.get(code, "bad" if code in {"INTERNAL", "UNKNOWN"} else "odd")
    short = str(fields["rpc"]).rpartition(".")[2]
    words = f"{_cell('', 10)}  {_cell(short, 48)}  {'':>11}  {fields['ms']:>8.0f} ms"
    return ("ok" if code == "OK" else "-"), tone, words + _trailing(code="" if code == "OK" else code, **_why(fields))


def _why(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"why": fields["why"]} if fields.get("why") else {}


def _anything(name: str, level: str, fields: Mapping[str, Any]) -> tuple[Any, str, str]:
    shown = {key: value for key, value in fields.items() if key not in {"timestamp", "at"}}
    said = SENTENCES.get(name) or name.replace("_", " ")
    return level, _LEVELS.get(level, "plain"), _printable(said) + _trailing(**shown)


_LAYOUTS: dict[str, Callable[[str, str, Mapping[str, Any]], tuple[Any, str, str]]] = {
    "call": _call,
    "call_refused": _refused,
    "rpc": _rpc,
}


def _trailing(**pairs: Any) -> str:
    """Returns what is stated of the pairs, each behind two blanks."""
    return "".join(
        f"  {_printable(name.replace('_', ' '))}: {_printable(value)}"
        for name, value in pairs.items()
        if value or value is False
    )


def _cell(value: Any, width: int) -> str:
    text = _printable(value)
    return f"{text:<{width}}" if len(text) <= width else text[: width - 1] + "…"


def _sum(*counts: int | None) -> int | None:
    stated = [count for count in counts if count is not None]
    return sum(stated) if stated else None


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else str(tokens)


def _rounded(usd: str) -> str:
    """Returns an amount with six decimal places, or with more where it would be nothing."""
    amount = Decimal(usd)
    return f"{amount:.6f}" if amount == 0 or amount >= Decimal("0.000001") else f"{amount:.2E}"


def _printable(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else "\ufffd" for one in text)
