"""Log lines on stderr: one JSON object a line, or text for people; with whatever looks like a secret masked.

Knows nothing of what is logged. The mask works on the finished line, so it covers nested values, tracebacks and
the libraries' own lines alike. Tracebacks show code, never the values of variables.
"""

import asyncio
import json
import logging
import os
import re
import sys
from collections.abc import MutableMapping
from typing import Any, BinaryIO, Literal

import msgspec
import structlog

from ingate.ids import BOUNDARY, SECRET_HINTS, SECRET_PREFIXES
from ingate.log_text import TextRenderer

MASK = "***"

# Kinds of secrets by their prefixes: those of the gateway, OpenAI and Anthropic, Google.
# What refusals show of a key of ours, its first characters, is no key of OpenAI's.
_PREFIXES = "|".join((*SECRET_PREFIXES, r"sk-(?!ingate-[\w-]{0,5}(?![\w-]))", "AIza"))
_TOKEN = rf"{BOUNDARY}({_PREFIXES})[\w-]{{6,}}"
_BEARER = r"\b([Bb]earer(?:\s|\\[tn])+)[\w.~+/=-]+"
_TEXT = re.compile(f"{_TOKEN}|{_BEARER}", re.ASCII)
_LINE = re.compile(_TEXT.pattern.encode(), re.ASCII)
# What every match contains. Looking for these first costs a twentieth of running the pattern over a line.
_HINTS = (*(hint.encode() for hint in SECRET_HINTS), b"sk-", b"AIza", b"earer")

SECRET_NAMES = frozenset(
    {
        "api_key",
        "api-key",
        "authorization",
        "cookie",
        "password",
        "proxy-authorization",
        "secret",
        "set-cookie",
        "token",
        "x-api-key",
        "x-goog-api-key",
        "x-ingate-gateway",
        "x-ingate-key",
        "x-ongoingai-gateway-key",
    }
)
"""Names, lower-case, whose values are never written whatever they look like."""

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def mask(text: str) -> str:
    """Returns the text with each thing that looks like a secret replaced by its prefix and `***`."""
    return _TEXT.sub(lambda found: (found[1] or found[2]) + MASK, text)


def _mask_line(_logger: Any, _method: str, line: Any) -> Any:
    if not any(map(line.__contains__, _HINTS)):
        return line
    return _LINE.sub(lambda found: (found[1] or found[2]) + MASK.encode(), line)


def _mask_names(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in event:
        if name.lower() in SECRET_NAMES:
            event[name] = MASK
    return event


def _render(event: Any, **_: Any) -> bytes:
    try:
        return msgspec.json.encode(event, enc_hook=repr)
    except (TypeError, ValueError, OverflowError):
        # Lone surrogates, integers beyond 64 bits and odd keys: a log line must not fail what it reports on.
        return json.dumps(event, default=repr, skipkeys=True).encode()


class _Forward(logging.Handler):
    """Carries the lines of libraries that use the standard logging over to structlog.

    Not that one was cancelled: SQLAlchemy has a traceback of it where a caller leaves, or a command ends, in the moment
    in which a connection is given back, which is closed then.
    """

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError):
            return
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = str(record.msg)
        structlog.get_logger().log(record.levelno, message, logger=record.name, exc_info=record.exc_info)


class _Patient:
    """A file, or what stderr is at the time, that survives its reader: a closed pipe loses lines, not requests."""

    def __init__(self, file: BinaryIO | None) -> None:
        self._stated = file

    @property
    def _file(self) -> BinaryIO:
        return self._stated or sys.stderr.buffer

    def write(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except (OSError, ValueError):
            return

    def flush(self) -> None:
        try:
            self._file.flush()
        except (OSError, ValueError):
            return


Format = Literal["auto", "json", "text"]


def configure(level: str = "info", form: Format = "auto", *, file: BinaryIO | None = None) -> None:
    """Directs all logging of the process to `file` (stderr by default), from `level` up.

    The form `auto` is text on a terminal, else JSON. Libraries are heard from warning up. May be called again.
    """
    terminal = (file or sys.stderr).isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _mask_names,
            _renderer(form, terminal=terminal),
            _mask_line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.BytesLoggerFactory(file=_Patient(file)),  # type: ignore[arg-type]  # uses write and flush alone
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Forward()], level=max(_LEVELS[level], logging.WARNING), force=True)


def _renderer(form: Format, *, terminal: bool) -> Any:
    if form == "json" or (form == "auto" and not terminal):
        return structlog.processors.JSONRenderer(serializer=_render)
    # https://no-color.org: any value that is not empty.
    return TextRenderer(colours=terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb")
