"""URLs of databases as people have them."""

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate import db_url
from ingate.errors import BadRequest


@pytest.mark.parametrize(
    ("text", "user", "arguments", "where"),
    [
        ("postgresql://h/d", None, {"host": ["h"], "port": [5432]}, "d at h:5432"),
        ("POSTGRES://h/d", None, {"host": ["h"], "port": [5432]}, "d at h:5432"),
        ("postgresql+asyncpg://u@h:1/d", "u", {"host": ["h"], "port": [1]}, "d at h:1"),
        ("postgres://u:p@ss@h/d", "u", {"password": "p@ss", "host": ["h"], "port": [5432]}, "d at h:5432"),
        ("postgres://u:p%40s%2Fs@h/d", "u", {"password": "p@s/s", "host": ["h"], "port": [5432]}, "d at h:5432"),
        ("postgres://u:a/b#c:d@h/d", "u", {"password": "a/b#c:d", "host": ["h"], "port": [5432]}, "d at h:5432"),
        ("postgres://u:100%@h/d", "u", {"password": "100%", "host": ["h"], "port": [5432]}, "d at h:5432"),
        ("postgres://[::1]:9/d", None, {"host": ["::1"], "port": [9]}, "d at ::1:9"),
        ("postgres://a:1,b/d", None, {"host": ["a", "b"], "port": [1, 5432]}, "d at a:1, b:5432"),
        ("postgresql:///d", None, {}, "d at localhost:5432"),
        (
            "postgresql:///d?host=/var/run/postgresql",
            None,
            {"dsn": "postgresql:///?host=%2Fvar%2Frun%2Fpostgresql"},
            "d at /var/run/postgresql",
        ),
        (
            "postgres://h/d?sslmode=require&application_name=ingate&channel_binding=require",
            None,
            {"host": ["h"], "port": [5432], "dsn": "postgresql:///?sslmode=require&application_name=ingate"},
            "d at h:5432",
        ),
        ("postgres://h/d?connect_timeout=5", None, {"host": ["h"], "port": [5432], "timeout": 5.0}, "d at h:5432"),
    ],
)
def test_postgresql_as_hosts_print_it(text, user, arguments, where):
    """Its parts reach the driver, and its name for messages holds no credential."""
    found = db_url.parse(text)
    assert (found.url.drivername, found.url.username, found.url.password) == ("postgresql+asyncpg", user, None)
    assert (found.arguments, found.where, found.embedded) == (arguments, where, False)


@pytest.mark.parametrize(("mode", "checked"), [("verify-ca", False), ("verify-full", True)])
@pytest.mark.parametrize("root", ["", "&sslrootcert=system"])
def test_certificates_are_verified_by_the_systems_authorities(mode, checked, root):
    """Where the URL names no file; the name on the certificate counts in the strictest mode alone."""
    context = db_url.parse(f"postgres://h/d?sslmode={mode}{root}").arguments["ssl"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, checked)


def test_a_file_of_authorities_is_the_drivers_to_read():
    """It is named to it."""
    told = db_url.parse("postgres://h/d?sslmode=verify-full&sslrootcert=/ca.pem").arguments
    assert "ssl" not in told
    assert "sslrootcert=%2Fca.pem" in told["dsn"]


def test_behind_a_pooler_nothing_stays_prepared():
    """No statement is kept, and no two have a name in common."""
    told = db_url.parse("postgres://h/d?pgbouncer=true").arguments
    assert (told["statement_cache_size"], told["prepared_statement_cache_size"]) == (0, 0)
    assert told["prepared_statement_name_func"]() != told["prepared_statement_name_func"]()


def test_sqlite_is_a_file():
    """Relative or not."""
    for text, path in (("sqlite:///x.db", "x.db"), ("sqlite+aiosqlite:////a/x.db", "/a/x.db")):
        found = db_url.parse(text)
        assert (found.url.drivername, found.where, found.embedded) == ("sqlite+aiosqlite", path, True)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "must begin with postgresql:// or sqlite://"),
        ("postgresql", "must begin with postgresql:// or sqlite://"),
        ("mysql://u:canary@h/d", "must begin with postgresql:// or sqlite://"),
        ("postgresql+psycopg2://u:canary@h/d", "must begin with postgresql:// or sqlite://"),
        ("sqlite://", "must name a file"),
        ("sqlite:///:memory:", "must name a file"),
        ("postgresql://u:canary@h:port/d", "must have a port from 1 to 65535"),
        ("postgresql://u:canary@h:0/d", "must have a port from 1 to 65535"),
        ("postgresql://u:canary/d", "must have a port from 1 to 65535"),
        ("postgresql://u:can?ary@h/d", "must have ? in its password as %3F, and @ behind the ? as %40"),
        (
            "postgresql://u:canary@h/d?sslmode=on",
            "must have as sslmode one of disable, allow, prefer, require, verify-",
        ),
        ("postgresql://u:canary@h/d?schema=public", "has parameters that mean nothing here (schema); it takes appl"),
        ("postgresql://u:canary@h/d?connect_timeout=soon", "must have as connect_timeout a whole number of seconds"),
    ],
)
def test_a_url_that_cannot_be_used_is_told(text, problem):
    """What is wrong is, and no part of a password is."""
    with pytest.raises(BadRequest) as refused:
        db_url.parse(text)
    assert refused.value.message.startswith(f"database_url {problem}")
    assert "can" not in refused.value.message.replace("cannot", "")


@given(st.text(), st.text())
def test_any_text_is_a_url_or_a_refusal_that_quotes_none_of_it(before, after):
    """Wherever the password stands."""
    try:
        found = db_url.parse(f"postgresql://{before}:canary{after}@h/d")
        shown = f"{found.where} {found!r}"
    except BadRequest as refused:
        shown = refused.message
    assert "canary" not in shown
