"""The URL of a database: SQLite's, and PostgreSQL's as hosts print it. Connects to nothing.

What is wrong with a URL is said without quoting any of it, for what looks like a host may be part of a password.
"""

import re
import ssl
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from ingate.errors import BadRequest

SETTING = "database_url"
_POSTGRESQL = frozenset({"postgresql", "postgres", "postgresql+asyncpg"})
_SQLITE = frozenset({"sqlite", "sqlite+aiosqlite"})
_SCHEME = re.compile(r"([A-Za-z0-9+]+)://(.*)", re.DOTALL)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^\[\]:]*)(?::(\d{1,5}))?")
_DEFAULT_PORT = 5432
_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

_TAKEN = frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "sslnegotiation"}) | frozenset(
    {"application_name", "options", "host", "port", "target_session_attrs"}
)
"""Parameters that asyncpg reads itself, or hands to the server."""
_IGNORED = frozenset({"channel_binding", "client_encoding", "gssencmode", "sslsni", "tcp_user_timeout"}) | frozenset(
    {"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"}
)
"""Parameters of libpq that have no counterpart here and change nothing that is asked or answered."""
_OWN = frozenset({"connect_timeout", "pgbouncer"})


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """What a URL says: the URL for SQLAlchemy, what its driver is told beside it, and how to call it in a message."""

    url: URL
    where: str
    embedded: bool
    arguments: Mapping[str, Any] = field(default_factory=dict, repr=False)


def parse(text: str) -> DatabaseUrl:
    """Returns what a URL says. Raises BadRequest for one that cannot be used; SQLite's must name a file."""
    found = _SCHEME.fullmatch(text.strip())
    scheme = found[1].lower() if found else ""
    if found is None or scheme not in _POSTGRESQL | _SQLITE:
        raise _wrong("must begin with postgresql:// or sqlite://")
    return _sqlite(found[2]) if scheme in _SQLITE else _postgresql(found[2])


def _sqlite(rest: str) -> DatabaseUrl:
    try:
        url = make_url(f"sqlite+aiosqlite://{rest}")
    except (ArgumentError, ValueError):
        raise _wrong("is not a URL") from None
    if url.database in {None, "", ":memory:"}:
        raise _wrong("must name a file")
    if url.query:
        raise _wrong("must have nothing behind the name of the file: SQLite has no parameters here")
    return DatabaseUrl(url, str(url.database), embedded=True)


def _postgresql(rest: str) -> DatabaseUrl:
    main, _, query = rest.partition("?")
    if "@" in query:
        raise _wrong("must have ? in its password as %3F, and @ behind the ? as %40")
    credentials, _, place = main.rpartition("@")
    user, _, password = credentials.partition(":")
    hosts, _, name = place.partition("/")
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    _check(parameters)
    servers = [_server(part) for part in hosts.split(",")] if hosts else []
    arguments: dict[str, Any] = {}
    if password:
        arguments["password"] = unquote(password)
    if servers:
        arguments |= {"host": [host for host, _ in servers], "port": [port for _, port in servers]}
    arguments |= _beyond_the_dsn(parameters)
    if told := {key: value for key, value in parameters.items() if key in _TAKEN}:
        arguments["dsn"] = f"postgresql:///?{urlencode(told)}"
    url = URL.create("postgresql+asyncpg", username=unquote(user) or None, database=unquote(name) or None)
    at = ", ".join(f"{host}:{port}" for host, port in servers) or parameters.get("host") or "localhost:5432"
    return DatabaseUrl(url, f"{unquote(name) or 'of the user'} at {at}", embedded=False, arguments=arguments)


def _server(text: str) -> tuple[str, int]:
    found = _HOST.fullmatch(unquote(text))
    port = int(found[2] or _DEFAULT_PORT) if found else 0
    if found is None or not 1 <= port <= 65535:
        raise _wrong("must have a port from 1 to 65535 behind its host, and : / ? # @ of its password percent-encoded")
    return found[1].strip("[]") or "localhost", port


def _check(parameters: Mapping[str, str]) -> None:
    known = _TAKEN | _IGNORED | _OWN
    if unknown := sorted(set(parameters) - known):
        shown = ", ".join(name for name in unknown if name.isidentifier()) or "one that is no name"
        raise _wrong(f"has parameters that mean nothing here ({shown}); it takes {', '.join(sorted(known))}")
    if parameters.get("sslmode", "prefer") not in _MODES:
        raise _wrong(f"must have as sslmode one of {', '.join(_MODES)}")
    if not parameters.get("connect_timeout", "0").isdecimal():
        raise _wrong("must have as connect_timeout a whole number of seconds")


def _beyond_the_dsn(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Returns the driver's arguments for the parameters that it does not take as they are."""
    arguments: dict[str, Any] = {}
    mode, root = parameters.get("sslmode", ""), parameters.get("sslrootcert", "system")
    if mode.startswith("verify-") and root == "system" and "sslcert" not in parameters:
        # The authorities that this system trusts, where libpq would look for a file in the home directory.
        context = ssl.create_default_context()
        context.check_hostname = mode == "verify-full"
        arguments["ssl"] = context
    if seconds := int(parameters.get("connect_timeout", "0")):
        arguments["timeout"] = float(seconds)
    if parameters.get("pgbouncer") == "true":
        # Behind a pooler of transactions, a statement that is prepared may be another connection's.
        arguments |= {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
        arguments["prepared_statement_name_func"] = lambda: f"__ingate_{uuid.uuid4()}__"
    return arguments


def _wrong(problem: str) -> BadRequest:
    return BadRequest.field(SETTING, problem)
